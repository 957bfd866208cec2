package textfmt

import (
	"strconv"
	"strings"
	"time"
)

// FormatDuration formats a duration with at most three digits in total before and after the
// point: "950ns", "12.3ms", "1.20s", "2m03s", "5h06m", "3d04h".
func FormatDuration(d time.Duration) string {
	const day = 24 * time.Hour

	switch {
	case d <= 0:
		return "0"
	case d < time.Microsecond:
		return strconv.FormatInt(int64(d), 10) + "ns"
	case d < 999500*time.Nanosecond:
		return threeDigits(float64(d)/float64(time.Microsecond)) + "µs"
	case d < 999500*time.Microsecond:
		return threeDigits(float64(d)/float64(time.Millisecond)) + "ms"
	case d < 59995*time.Millisecond:
		return threeDigits(d.Seconds()) + "s"
	case d < time.Hour-time.Second/2:
		d = d.Round(time.Second)

		return pair(d/time.Minute, "m", d%time.Minute/time.Second, "s")
	case d < day:
		d = max(d, time.Hour) // what rounds to it

		return pair(d/time.Hour, "h", d%time.Hour/time.Minute, "m")
	case d < 1000*day:
		return pair(d/day, "d", d%day/time.Hour, "h")
	default:
		return ">999d"
	}
}

// FormatSeconds formats a duration in whole seconds: "2s".
func FormatSeconds(d time.Duration) string {
	return strconv.FormatInt(int64(d.Round(time.Second)/time.Second), 10) + "s"
}

// Count formats a number and what it counts: "1 span", "2 spans", "3 queries".
func Count(n int, noun string) string {
	switch {
	case n == 1:
	case strings.HasSuffix(noun, "y"):
		noun = strings.TrimSuffix(noun, "y") + "ies"
	default:
		noun += "s"
	}

	return strconv.Itoa(n) + " " + noun
}

func threeDigits(f float64) string {
	switch {
	case f < 9.995:
		return strconv.FormatFloat(f, 'f', 2, 64)
	case f < 99.95:
		return strconv.FormatFloat(f, 'f', 1, 64)
	default:
		return strconv.FormatFloat(f, 'f', 0, 64)
	}
}

func pair(a time.Duration, unitA string, b time.Duration, unitB string) string {
	text := strconv.FormatInt(int64(b), 10)
	if len(text) < 2 {
		text = "0" + text
	}

	return strconv.FormatInt(int64(a), 10) + unitA + text + unitB
}
