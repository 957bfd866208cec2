package integration_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Turns of phrase that Go's own documentation would not have, and what it says instead. Each
// was in this repository.
var unidiomatic = []struct {
	phrase  *regexp.Regexp
	instead string
}{
	{regexp.MustCompile(`(?i)\btells?\s+(//\s*)?whether\b`), "reports whether"},
	{regexp.MustCompile(`(?i)\bmakes spans of\b`), "turns into spans"},
	{regexp.MustCompile(`(?i)\btakes? traces alone\b`), "receives traces only"},
	{regexp.MustCompile(`(?i)\b(is|are|was|were) (not )?to be had\b`), "is (not) available"},
	{regexp.MustCompile(`(?i)\b(can|could) (not )?be had\b`), "could (not) be downloaded, is (not) available"},
	{regexp.MustCompile(`(?i)\bhave few values\b`), "have low cardinality"},
	{regexp.MustCompile(`(?i)\bis no UTF-8\b`), "is not UTF-8"},
	{regexp.MustCompile(`(?i)\bof one's own\b`), "your own, in-house"},
	{regexp.MustCompile(`(?i)\bholds? (it|them|the list|the page) against\b`), "compares with"},
	{regexp.MustCompile(`(?i)\bto come again\b`), "to try again later"},
	{regexp.MustCompile(`(?i)\bthrow(s|n)? out\b`), "drop"},
	{regexp.MustCompile(`(?i)\bfirehose tells\b`), "firehose reports"},
	{regexp.MustCompile(`(?i)\bstarts? anew\b`), "start again"},
	{regexp.MustCompile(`(?i)\bnobody is left to tell\b`), "there is no one to report to"},
	{regexp.MustCompile(`(?i)\bin a way that (it|they) do(es)? not know\b`), "usage error"},
	{regexp.MustCompile(`(?i)\btraces? tell of\b`), "traces say about, show"},
	{regexp.MustCompile(`(?i)\btraces alone\b`), "traces only"},
	{regexp.MustCompile(`(?i)\b(that|which) (there )?(is|are) not (here|there)\b`), "missing"},
	{regexp.MustCompile(`(?i)\bwhich there (is|are) not\b`), "which does not exist"},
	{regexp.MustCompile(`(?i)\b(turns|lay in) (a word|queues)\b`), "negates, waited in"},
	{regexp.MustCompile(`(?i)\bnobody seen\b`), "none seen"},
}

// Not ours to reword: the words of others, and this list.
func quotes(name string) bool {
	return name == "integration/prose_test.go" || strings.Contains(name, "testdata/w3c") || strings.HasSuffix(name, "package-lock.json")
}

func TestProse(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "git", "-C", "..", "ls-files", "--cached", "--others", "--exclude-standard",
		"*.go", "*.md", "*.tmpl", "*.sh", "*.yml", "*.yaml", "*.golden", "*.html", "*.js", "Makefile").Output()
	if err != nil {
		t.Fatalf("list the files: %v", err)
	}
	for name := range strings.FieldsSeq(string(out)) {
		if quotes(name) {
			continue
		}
		text, err := os.ReadFile(filepath.Join("..", name))
		if err != nil {
			continue // deleted, and not committed yet
		}
		for _, u := range unidiomatic {
			for _, at := range u.phrase.FindAllIndex(text, -1) {
				t.Errorf("%s:%d: %q: write %q", name, 1+strings.Count(string(text[:at[0]]), "\n"), text[at[0]:at[1]], u.instead)
			}
		}
	}
}
