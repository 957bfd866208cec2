//nolint:goconst // The columns and the words of a search are written where they are parsed.
package search

import (
	"fmt"
	"strconv"
	"time"

	"github.com/mqtrace/mqtrace/internal/traceview/spans"
	"github.com/mqtrace/mqtrace/internal/traceview/tree"
)

// measure is a numeric property of a trace.
type measure struct {
	of       func(*tree.Tree) float64
	duration bool
}

var measures = map[string]measure{
	"duration": {func(t *tree.Tree) float64 { return float64(t.Trace.Duration()) }, true},
	"waited":   {longestWait, true},
	"attempt":  {func(t *tree.Tree) float64 { return float64(attempts(t)) }, false},
	"spans":    {func(t *tree.Tree) float64 { return float64(len(t.Trace.Spans)) }, false},
	"errors":   {func(t *tree.Tree) float64 { return float64(t.Trace.Errors()) }, false},
}

func measureNames() []string {
	return []string{"duration", "waited", "attempt", "spans", "errors"}
}

// longestWait includes messages that still wait.
func longestWait(t *tree.Tree) float64 {
	longest := time.Duration(0)

	for _, n := range t.Order {
		if n.Wait != nil {
			longest = max(longest, n.Wait.Duration())
		}

		if n.Waiting != nil {
			longest = max(longest, n.Waiting.For)
		}
	}

	return float64(longest)
}

func attempts(t *tree.Tree) int {
	most := 0
	for _, n := range t.Order {
		most = max(most, n.Attempt)
	}

	return most
}

func measured(m measure, word, compare, value string) (func(*tree.Tree) bool, error) {
	wanted, err := strconv.ParseFloat(value, 64)
	if m.duration {
		var d time.Duration

		d, err = time.ParseDuration(value)
		wanted = float64(d)
	}

	if err != nil {
		return nil, fmt.Errorf("%s: %q is not %s", word, value, map[bool]string{true: "a duration such as 500ms or 2s", false: "a number"}[m.duration])
	}

	return func(t *tree.Tree) bool { return compared(m.of(t), compare, wanted) }, nil
}

func numberAttribute(key, word, compare, value string) (func(*tree.Tree) bool, error) {
	wanted, err := strconv.ParseFloat(value, 64)
	if err != nil {
		return nil, fmt.Errorf("%s: %q is not a number", word, value)
	}

	return anySpanHolds(func(s *spans.Span) bool {
		n, ok := s.Attributes.Number(key)

		return ok && compared(n, compare, wanted)
	}), nil
}

func compared(a float64, compare string, b float64) bool {
	switch compare {
	case ">":
		return a > b
	case ">=":
		return a >= b
	case "<":
		return a < b
	case "<=":
		return a <= b
	default:
		return a == b
	}
}
