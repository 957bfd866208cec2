//go:build interop

package interop_test

import (
	"flag"
	"fmt"
	"os"
	"testing"
)

// TestMain prints what was seen. If all tests ran, all rows must have been seen.
func TestMain(m *testing.M) {
	flag.Parse()
	code := m.Run()
	for _, tb := range tables {
		fmt.Println(tb.markdown(seen.rows[tb]))
		if all := flag.Lookup("test.run").Value.String() == ""; all && code == 0 {
			for _, row := range tb.missing() {
				fmt.Println("not seen:", line(row))
				code = 1
			}
		}
	}
	os.Exit(code)
}
