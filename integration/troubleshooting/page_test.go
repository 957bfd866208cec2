package troubleshooting_test

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var (
	named   = regexp.MustCompile("`(Test[A-Za-z0-9]+)`")
	defined = regexp.MustCompile(`(?m)^func (Test[A-Za-z0-9]+)\(`)
)

// The page names the test that reproduces a symptom, and every test is on the page.
func TestPageNamesTheTests(t *testing.T) {
	page, err := os.ReadFile("../../docs/troubleshooting.md")
	if err != nil {
		t.Fatal(err)
	}
	var tests []string
	for _, name := range []string{"symptoms_test.go", "../snippets/troubleshooting_test.go"} {
		file, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range defined.FindAllStringSubmatch(string(file), -1) {
			tests = append(tests, match[1])
			if !strings.Contains(string(page), "`"+match[1]+"`") {
				t.Errorf("the page does not name %s", match[1])
			}
		}
	}
	for _, match := range named.FindAllStringSubmatch(string(page), -1) {
		if !slices.Contains(tests, match[1]) {
			t.Errorf("the page names %s, which does not exist", match[1])
		}
	}
}
