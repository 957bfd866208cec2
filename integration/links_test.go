package integration_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	markdownLink = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading      = regexp.MustCompile(`(?m)^#{1,6} +(.+?) *$`)
	fence        = regexp.MustCompile("(?ms)^ *```.*?^ *```$")
	codeSpan     = regexp.MustCompile("`[^`\n]*`")
	notInAnchor  = regexp.MustCompile(`[^\p{L}\p{N}\- _]`)
)

// pages returns the Markdown files of the repository.
func pages(t *testing.T) []string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "git", "-C", "..", "ls-files", "--cached", "--others", "--exclude-standard", "*.md").Output()
	if err != nil {
		t.Fatalf("list the pages: %v", err)
	}
	return strings.Fields(string(out))
}

func page(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", name))
	if err != nil {
		t.Fatal(err)
	}
	return fence.ReplaceAllString(string(text), "")
}

// anchors returns the fragments that GitHub gives the headings of a page.
func anchors(text string) map[string]bool {
	found := make(map[string]bool)
	for _, match := range heading.FindAllStringSubmatch(text, -1) {
		name := markdownLink.ReplaceAllString(match[1], "")
		name = notInAnchor.ReplaceAllString(strings.ToLower(name), "")
		found[strings.ReplaceAll(name, " ", "-")] = true
	}
	return found
}

// A link within the repository leads to a file, and its fragment to a heading.
func TestLinks(t *testing.T) {
	for _, name := range pages(t) {
		for _, match := range markdownLink.FindAllStringSubmatch(codeSpan.ReplaceAllString(page(t, name), ""), -1) {
			if strings.Contains(match[1], "://") || strings.HasPrefix(match[1], "mailto:") {
				continue
			}
			path, fragment, _ := strings.Cut(match[1], "#")
			target := name
			if path != "" {
				target = filepath.Join(filepath.Dir(name), path)
			}
			if _, err := os.Stat(filepath.Join("..", target)); err != nil {
				t.Errorf("%s links to %s: %v", name, match[1], err)
				continue
			}
			if fragment != "" && strings.HasSuffix(target, ".md") && !anchors(page(t, target))[fragment] {
				t.Errorf("%s links to %s, which has no such heading", name, match[1])
			}
		}
	}
}

// The index lists every page.
func TestIndexHasEveryPage(t *testing.T) {
	index := page(t, "docs/README.md")
	for _, name := range pages(t) {
		if dir, file := filepath.Split(name); dir == "docs/" && file != "README.md" && !strings.Contains(index, "]("+file+")") {
			t.Errorf("docs/README.md does not link to %s", file)
		}
	}
}
