package faults_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Each row of docs/faults.md names tests that exist, and each test of a fault has a row.
func TestMatrix(t *testing.T) {
	doc, err := os.ReadFile("../../docs/faults.md")
	if err != nil {
		t.Fatal(err)
	}
	named := make(map[string]bool)
	for line := range strings.Lines(string(doc)) {
		if cells := strings.Split(line, " | "); len(cells) == 4 {
			for _, m := range regexp.MustCompile("`(Test\\w+)`").FindAllStringSubmatch(cells[3], -1) {
				named[m[1]] = true
			}
		}
	}
	files, err := filepath.Glob("*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	there := make(map[string]bool)
	others, err := filepath.Glob("../../asynqtrace/*faults_test.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range append(append(files, others...), "../../amqptrace/recovery_test.go") {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`(?m)^func (Test\w+)\(t \*testing\.T\)`).FindAllStringSubmatch(string(text), -1) {
			there[m[1]] = true
		}
	}
	delete(there, "TestMatrix")
	for name := range named {
		if !there[name] {
			t.Errorf("docs/faults.md names %s, which does not exist", name)
		}
	}
	for name := range there {
		if !named[name] {
			t.Errorf("docs/faults.md has no row for %s", name)
		}
	}
}
