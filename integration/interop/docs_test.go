package interop_test

import (
	"os"
	"strings"
	"testing"
)

// What docs/interop.md shows is what the tests expect.
func TestDocumentedTables(t *testing.T) {
	doc, err := os.ReadFile("../../docs/interop.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, tb := range tables {
		if want := tb.markdown(tb.rows); !strings.Contains(string(doc), want) {
			t.Errorf("docs/interop.md does not hold\n%s", want)
		}
	}
}
