package interop_test

import (
	"fmt"
	"strings"
)

// table is one of docs/interop.md: what the tests expect.
type table struct {
	columns []string
	key     int // so many columns tell rows apart, the others hold what is seen
	rows    [][]string
}

func (tb *table) markdown(rows [][]string) string {
	var b strings.Builder
	fmt.Fprintln(&b, line(tb.columns))
	fmt.Fprintln(&b, strings.Repeat("|---", len(tb.columns))+"|")
	for _, row := range rows {
		fmt.Fprintln(&b, line(row))
	}
	return b.String()
}

func line(cells []string) string { return "| " + strings.Join(cells, " | ") + " |" }
