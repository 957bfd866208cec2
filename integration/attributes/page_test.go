package attributes_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const pageName = "docs/attributes.md"

// A page is the tables of docs/attributes.md, by the name in the comment above each.
type page map[string][]row

// A row is a line of a table, by column.
type row map[string]string

var checked = regexp.MustCompile(`^<!-- checked: (.+) -->$`)

// readPage reads the tables of the page. A table without a name would not be checked.
func readPage(t *testing.T) page {
	t.Helper()
	text, err := os.ReadFile("../../" + pageName)
	if err != nil {
		t.Fatal(err)
	}
	p := make(page)
	var name string
	var header []string
	for i, line := range strings.Split(string(text), "\n") {
		switch {
		case checked.MatchString(line):
			if name = checked.FindStringSubmatch(line)[1]; p[name] != nil {
				t.Errorf("%s:%d: a second table %q", pageName, i+1, name)
			}
		case !strings.HasPrefix(line, "|"):
			if header != nil {
				name, header = "", nil
			}
		case header == nil:
			if header = cells(line); name == "" {
				t.Errorf("%s:%d: the table has no name: write <!-- checked: NAME --> above it", pageName, i+1)
			}
			p[name] = []row{}
		case strings.HasPrefix(line, "|---"):
		default:
			r := make(row)
			for c, cell := range cells(line) {
				if c < len(header) && cell != "" {
					r[header[c]] = cell
				}
			}
			if len(r) != len(header) {
				t.Errorf("%s:%d: %d cells have a text, want %d", pageName, i+1, len(r), len(header))
			}
			p[name] = append(p[name], r)
		}
	}
	return p
}

// cells returns the cells of a line of a table.
func cells(line string) []string {
	all := strings.Split(strings.Trim(line, "|"), "|")
	for i := range all {
		all[i] = strings.TrimSpace(all[i])
	}
	return all
}

var quoted = regexp.MustCompile("`([^`]+)`")

// words returns the parts of a cell that are in backticks.
func words(cell string) []string {
	var all []string
	for _, m := range quoted.FindAllStringSubmatch(cell, -1) {
		all = append(all, m[1])
	}
	return all
}

// word returns what a cell has in backticks, if that is one word.
func word(cell string) string {
	if all := words(cell); len(all) == 1 {
		return all[0]
	}
	return ""
}

// The page's names of the types, and what an example of each looks like.
var types = map[string]func(example string) bool{
	"string":   func(e string) bool { return e != "" },
	"int":      func(e string) bool { _, err := strconv.ParseInt(e, 10, 64); return err == nil },
	"double":   func(e string) bool { _, err := strconv.ParseFloat(e, 64); return err == nil },
	"boolean":  func(e string) bool { return e == "true" },
	"string[]": func(e string) bool { return strings.HasPrefix(e, `["`) && strings.HasSuffix(e, `"]`) },
	"int[]":    func(e string) bool { return strings.HasPrefix(e, "[") && !strings.Contains(e, `"`) },
}

// The requirement levels of the conventions, and the one for attributes that are not
// theirs.
var levels = []string{"Required", "Conditionally Required", "Recommended", "Opt-In", "ours"}

// checkRow checks the type, the level and the example of an attribute.
func checkRow(t *testing.T, table string, r row) {
	t.Helper()
	key := word(r["attribute"])
	fits, known := types[r["type"]]
	if !known || !fits(word(r["example"])) {
		t.Errorf("%s, %q: %s is of type %q and has the example %s", pageName, table, key, r["type"], r["example"])
	}
	level, _, _ := strings.Cut(r["level"], ";")
	ours := strings.HasPrefix(key, "mqtrace.") || strings.HasPrefix(key, "asynq.")
	if !slices.Contains(levels, level) || ours != (level == "ours") {
		t.Errorf("%s, %q: the level of %s is %q, want one of %q, and ours for mqtrace.* and asynq.*",
			pageName, table, key, r["level"], levels)
	}
}

var ownName = regexp.MustCompile(`"((?:mqtrace|asynq)[.-][a-z_.-]+)"`)

// A name in the source that is not on the page may be emitted in a case that the other
// tests do not have.
func TestNamesInTheSource(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../" + pageName)
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, pattern := range []string{"amqptrace/*.go", "asynqtrace/*.go", "internal/messaging/*.go"} {
		files, err := filepath.Glob("../../" + pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			source, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range ownName.FindAllStringSubmatch(string(source), -1) {
				if found++; !strings.Contains(string(text), "`"+m[1]+"`") {
					t.Errorf("%s has %s, and %s lacks it: have this package's tests emit it, and list it", file, m[1], pageName)
				}
			}
		}
	}
	if found == 0 {
		t.Error("the sources have no names")
	}
}
