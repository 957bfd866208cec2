package integration_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// What stands around the lines that the README's diffs leave in place.
var surroundings = map[string]string{
	"amqp":       "var (ctx = context.Background(); ch *amqp.Channel; msg amqp.Publishing; err error)\n%s_ = err",
	"consume":    "var (ctx = context.Background(); deliveries chan amqp.Delivery; handle func(context.Context, amqp.Delivery))\n%s",
	"asynq":      "var (ctx = context.Background(); redis asynq.RedisClientOpt; task *asynq.Task; err error)\n%s_ = err",
	"middleware": "var sendWelcome func(context.Context, *asynq.Task) error\n%s",
}

var diffs = regexp.MustCompile("(?s)<!-- checked: (\\w+) -->\n```diff\n(.*?)```")

var files = regexp.MustCompile(`<!-- checked: (\S+\.go) -->`)

// The files that the documents show, each below a comment that names it, are compiled and
// tested where they are: some in a module outside go.work, for what their imports bring along.
func TestDocumentsHaveTheFiles(t *testing.T) {
	documents, err := filepath.Glob("../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	shown := 0
	for _, document := range append(documents, "../README.md") {
		text, err := os.ReadFile(document)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range files.FindAllStringSubmatch(string(text), -1) {
			shown++
			file, err := os.ReadFile(filepath.Join("..", name[1]))
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(string(text), name[0]+"\n```go\n"+string(file)+"```\n") {
				t.Errorf("%s does not have %s as it is", document, name[1])
			}
		}
	}
	if shown == 0 {
		t.Error("no document shows a file")
	}
}

// The tests in docs/testing.md are to be short.
func TestShownTestsAreShort(t *testing.T) {
	for _, name := range []string{"orders", "welcome"} {
		file, err := os.ReadFile("../examples/testing/orders/" + name + "_test.go")
		if err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(string(file), "\n"); n >= 40 {
			t.Errorf("%s_test.go has %d lines", name, n)
		}
	}
}

var adapter = regexp.MustCompile(`\.go\]\(\.\./(\S+\.go)\) \| (\d+) \|`)

// docs/wrappers.md says how long the adapters are, none of which is to need 60 lines.
func TestAdaptersAreShort(t *testing.T) {
	text, err := os.ReadFile("../docs/wrappers.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := adapter.FindAllStringSubmatch(string(text), -1)
	if len(rows) == 0 {
		t.Error("no row has a number of lines")
	}
	for _, row := range rows {
		file, err := os.ReadFile(filepath.Join("..", row[1]))
		if err != nil {
			t.Fatal(err)
		}
		if n := codeLines(string(file)); strconv.Itoa(n) != row[2] || n >= 60 {
			t.Errorf("%s has %d lines, the document says %s", row[1], n, row[2])
		}
	}
}

// codeLines counts the lines of a file that are neither its imports nor comments nor blank.
func codeLines(file string) (n int) {
	imports := false
	for line := range strings.Lines(file) {
		line = strings.TrimSpace(line)
		switch {
		case line == "import (":
			imports = true
		case imports:
			imports = line != ")"
		case line != "" && !strings.HasPrefix(line, "//") && !strings.HasPrefix(line, "package "):
			n++
		}
	}
	return n
}

// A reader copies the new lines of the README's diffs: they have to compile.
func TestReadmeCompiles(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	found := diffs.FindAllStringSubmatch(string(readme), -1)
	if len(found) != len(surroundings) || strings.Count(string(readme), "```diff") != len(found) {
		t.Fatalf("%d checked diffs, want %d and no others", len(found), len(surroundings))
	}
	var program strings.Builder
	program.WriteString("package readme\nimport (\"context\"; \"github.com/hibiken/asynq\"\n" +
		"amqp \"github.com/rabbitmq/amqp091-go\"\n\"" + module + "amqptrace\"; \"" + module + "asynqtrace\")\n" +
		"var (_ context.Context; _ asynq.Task; _ amqp.Channel)\n")
	for _, f := range found {
		name, diff := f[1], f[2]
		around, ok := surroundings[name]
		if !ok {
			t.Fatalf("nothing is known of %q", name)
		}
		program.WriteString("func check_" + name + "() {\n" + strings.Replace(around, "%s", after(t, diff), 1) + "\n}\n")
	}
	file := filepath.Join(t.TempDir(), "readme.go")
	if err := os.WriteFile(file, []byte(program.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), "go", "build", file).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s\n%s", err, out, program.String())
	}
}

// after returns what a diff leaves.
func after(t *testing.T, diff string) string {
	t.Helper()
	var b strings.Builder
	for line := range strings.Lines(diff) {
		switch {
		case strings.HasPrefix(line, "-"):
		case strings.HasPrefix(line, "+"), strings.HasPrefix(line, " "):
			b.WriteString(line[1:])
		default:
			t.Errorf("%q is no line of a diff", line)
		}
	}
	return b.String()
}
