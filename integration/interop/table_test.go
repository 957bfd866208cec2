package interop_test

import (
	"fmt"
	"slices"
	"strings"
)

// table is a table of docs/interop.md: what the tests expect.
type table struct {
	columns []string
	key     int // the number of columns that identify a row; the others hold what is seen
	rows    [][]string
	older   [][]string // rows that are different on older releases, which come first, with ", " between
}

// expected returns the row with the same key as another on a release, or nil.
func (tb *table) expected(release string, row []string) []string {
	same := func(want []string) bool { return slices.Equal(want[:tb.key], row[:tb.key]) }
	for _, want := range tb.older {
		if slices.Contains(strings.Split(want[0], ", "), release) && same(want[1:]) {
			return want[1:]
		}
	}
	if i := slices.IndexFunc(tb.rows, same); i >= 0 {
		return tb.rows[i]
	}
	return nil
}

func (tb *table) markdown(rows [][]string) string { return markdown(tb.columns, rows) }

// olderMarkdown returns the table of differences on older releases.
func (tb *table) olderMarkdown() string {
	return markdown(append([]string{"RabbitMQ"}, tb.columns...), tb.older)
}

func markdown(columns []string, rows [][]string) string {
	var b strings.Builder
	fmt.Fprintln(&b, line(columns))
	fmt.Fprintln(&b, strings.Repeat("|---", len(columns))+"|")
	for _, row := range rows {
		fmt.Fprintln(&b, line(row))
	}
	return b.String()
}

func line(cells []string) string { return "| " + strings.Join(cells, " | ") + " |" }
