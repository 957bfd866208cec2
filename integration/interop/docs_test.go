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
		wants := []string{tb.markdown(tb.rows)}
		if len(tb.older) > 0 {
			wants = append(wants, tb.olderMarkdown())
		}
		for _, want := range wants {
			if !strings.Contains(string(doc), want) {
				t.Errorf("docs/interop.md lacks\n%s", want)
			}
		}
	}
}
