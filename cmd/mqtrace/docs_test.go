package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// A command line in the documents and the helps, up to what the shell does with it.
var documented = regexp.MustCompile("(?m)(?:^|[ `])mqtrace ((?:peek|send|probe|tap|trace|view|queues|broker|completion)(?: [^`\n|<>]*)?)")

// flagged matches a line with flags.
var flagged = regexp.MustCompile(` -[a-z]`)

// words splits a command line as a shell does, as far as the documents need.
func words(line string) []string {
	var all []string
	for _, quoted := range regexp.MustCompile(`'[^']*'|[^\s']+`).FindAllString(line, -1) {
		all = append(all, strings.Trim(quoted, "'"))
	}
	return all
}

// The tool accepts the command lines in the documents: each command exists, with flags that
// it has and values that they allow.
func TestDocumentedCommands(t *testing.T) {
	files, err := filepath.Glob("../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	helps, err := filepath.Glob("testdata/help*.golden")
	if err != nil {
		t.Fatal(err)
	}
	count := 0
	for _, file := range append(append(files, helps...), "../../README.md") {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		joined := regexp.MustCompile(`\\\n\s*`).ReplaceAllString(string(text), "")
		for _, match := range documented.FindAllStringSubmatch(joined, -1) {
			line, _, _ := strings.Cut(match[1], "   ") // a remark follows
			if !flagged.MatchString(line) {
				continue // a name in a sentence, or nothing to check
			}
			count++
			r := tool(t, append(words(strings.TrimRight(line, ").,")), "-h")...)
			if r.code != 0 || !strings.Contains(r.stdout, "USAGE:") {
				t.Errorf("%s: mqtrace %s: exit code %d, %s", filepath.Base(file), line, r.code, r.stderr)
			}
		}
	}
	if count < 40 {
		t.Errorf("%d commands found", count)
	}
}
