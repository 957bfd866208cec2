//go:build interop

package interop_test

import (
	"slices"
	"sync"
	"testing"
)

// seen is what the tests saw of each table.
var seen = struct {
	sync.Mutex

	rows map[*table][][]string
}{rows: make(map[*table][][]string)}

// saw is told a row as it was seen.
func (tb *table) saw(t *testing.T, row ...string) {
	t.Helper()
	seen.Lock()
	defer seen.Unlock()
	seen.rows[tb] = append(seen.rows[tb], row)
	for _, want := range tb.rows {
		if slices.Equal(want[:tb.key], row[:tb.key]) {
			if !slices.Equal(want, row) {
				t.Errorf("saw  %s\nwant %s", line(row), line(want))
			}
			return
		}
	}
	t.Errorf("no row for %s", line(row))
}

// missing are the rows that nobody saw.
func (tb *table) missing() [][]string {
	return slices.DeleteFunc(slices.Clone(tb.rows), func(row []string) bool {
		return slices.ContainsFunc(seen.rows[tb], func(s []string) bool { return slices.Equal(s[:tb.key], row[:tb.key]) })
	})
}
