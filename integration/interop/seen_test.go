//go:build interop

package interop_test

import (
	"slices"
	"sync"
)

// seen is what the tests saw for each table.
var seen = struct {
	sync.Mutex

	rows map[*table][][]string
}{rows: make(map[*table][][]string)}

// saw records a row as it was seen.
func (s *scene) saw(tb *table, row ...string) {
	s.t.Helper()
	seen.Lock()
	defer seen.Unlock()
	seen.rows[tb] = append(seen.rows[tb], row)
	switch want := tb.expected(s.release, row); {
	case want == nil:
		s.t.Errorf("no row for %s", line(row))
	case !slices.Equal(want, row):
		s.t.Errorf("on RabbitMQ %s\nsaw  %s\nwant %s", s.release, line(row), line(want))
	}
}

// missing returns the rows that were not seen.
func (tb *table) missing() [][]string {
	return slices.DeleteFunc(slices.Clone(tb.rows), func(row []string) bool {
		return slices.ContainsFunc(seen.rows[tb], func(s []string) bool { return slices.Equal(s[:tb.key], row[:tb.key]) })
	})
}
