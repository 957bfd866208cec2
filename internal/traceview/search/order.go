//nolint:goconst // The columns and the words of a search are written where they are parsed.
package search

import (
	"slices"
	"strings"

	"github.com/mqtrace/mqtrace/internal/traceview/tree"
)

// Order sorts summaries by a column: name, service, start, duration, waited, spans or
// errors, the largest first, or, with ascending, the smallest. Any other column keeps the
// order in which the traces arrived.
func Order(list []tree.Summary, column string, ascending bool) {
	compare, ok := map[string]func(a, b *tree.Summary) int{
		"name":     func(a, b *tree.Summary) int { return -strings.Compare(a.Name, b.Name) },
		"service":  func(a, b *tree.Summary) int { return -strings.Compare(a.Service, b.Service) },
		"start":    func(a, b *tree.Summary) int { return a.Start.Compare(b.Start) },
		"duration": func(a, b *tree.Summary) int { return int(min(max(a.Duration-b.Duration, -1), 1)) },
		"waited":   func(a, b *tree.Summary) int { return int(min(max(a.Waited-b.Waited, -1), 1)) },
		"spans":    func(a, b *tree.Summary) int { return a.Spans - b.Spans },
		"errors":   func(a, b *tree.Summary) int { return a.Errors - b.Errors },
	}[column]
	if !ok {
		return
	}

	slices.SortStableFunc(list, func(a, b tree.Summary) int {
		if ascending {
			return compare(&a, &b)
		}

		return compare(&b, &a)
	})
}
