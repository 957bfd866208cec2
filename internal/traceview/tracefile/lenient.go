package tracefile

import (
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"time"
)

// lenientText and lenientNumber ignore a value of the wrong type, so that one odd value
// does not cost a trace.
type (
	lenientText   string
	lenientNumber int64
)

func (t *lenientText) UnmarshalJSON(b []byte) error {
	var s string
	if json.Unmarshal(b, &s) == nil {
		*t = lenientText(s)
	}

	return nil
}

func (n *lenientNumber) UnmarshalJSON(b []byte) error {
	digits := strings.Trim(string(b), `"`)

	i, err := strconv.ParseInt(digits, 10, 64)
	if err != nil {
		f, _ := strconv.ParseFloat(digits, 64)
		if !(f > -1<<62 && f < 1<<62) {
			f = 0
		}

		i = int64(f)
	}

	*n = lenientNumber(i)

	return nil
}

// time returns the time that is this many microseconds after 1970, or none for 0, which
// stands for a time that is not known, and for what OTLP has no number for.
func (n lenientNumber) time() time.Time {
	if n <= 0 || n > math.MaxUint64/1000 {
		return time.Time{}
	}

	return time.UnixMicro(int64(n)).UTC()
}

func (n lenientNumber) duration() time.Duration {
	const longest = math.MaxInt64 / int64(time.Microsecond)

	return time.Duration(min(max(int64(n), -longest), longest)) * time.Microsecond
}
