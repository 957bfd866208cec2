package traceview

import (
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/rivo/uniseg"
)

// printable makes text from a span safe to print: control characters, and
// characters that reorder or hide text, become visible escapes, "\x1b" for
// instance, so that a name can neither drive the terminal nor pass for another.
// At most limit bytes of the text are looked at.
func printable(text string, limit int) string {
	cut := len(text) > limit
	if cut {
		for limit > 0 && !utf8.RuneStart(text[limit]) {
			limit--
		}

		text = text[:limit]
	}

	var b strings.Builder

	for _, r := range text { // Invalid UTF-8 becomes U+FFFD here.
		if unicode.IsPrint(r) {
			b.WriteRune(r)

			continue
		}

		quoted := strconv.QuoteRuneToASCII(r)
		b.WriteString(quoted[1 : len(quoted)-1])
	}

	if cut {
		b.WriteString("…")
	}

	return b.String()
}

// textWidth is the number of columns that printable text takes.
func textWidth(text string) int { return uniseg.StringWidth(text) }

// fit cuts text to the given number of columns, the last of which is then "…".
func fit(text string, columns int) string {
	if columns <= 0 || textWidth(text) <= columns {
		return text
	}

	return take(text, columns-1) + "…"
}

// take returns as much of the start of the text as takes the given columns. What
// is one character to a reader, of several runes perhaps, stays whole.
func take(text string, columns int) string {
	rest, state := text, -1
	for rest != "" {
		_, after, width, next := uniseg.FirstGraphemeClusterInString(rest, state)
		if columns -= width; columns < 0 {
			return text[:len(text)-len(rest)]
		}

		rest, state = after, next
	}

	return text
}

// wrap breaks text into lines of the given number of columns, between words
// where it can. The last of the lines allowed is cut.
func wrap(text string, columns, lines int) []string {
	var out []string

	for len(out) < lines-1 && textWidth(text) > columns {
		end := breakAt(text, columns)
		out = append(out, strings.TrimRight(text[:end], " "))
		text = strings.TrimLeft(text[end:], " ")
	}

	return append(out, fit(text, columns))
}

// breakAt returns where a line that is too long ends.
func breakAt(text string, columns int) int {
	head := take(text, columns)
	if space := strings.LastIndexByte(head, ' '); space > 0 {
		return space
	}

	if head == "" { // Not even one character fits.
		head, _, _, _ = uniseg.FirstGraphemeClusterInString(text, -1)
	}

	return len(head)
}

// formatDuration writes a duration with three digits at most before and after
// the point together: "950ns", "12.3ms", "1.20s", "2m03s", "5h06m", "3d04h".
func formatDuration(d time.Duration) string {
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
	case d < time.Hour:
		d = d.Round(time.Second)

		return pair(d/time.Minute, "m", d%time.Minute/time.Second, "s")
	case d < day:
		return pair(d/time.Hour, "h", d%time.Hour/time.Minute, "m")
	case d < 1000*day:
		return pair(d/day, "d", d%day/time.Hour, "h")
	default:
		return ">999d"
	}
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
