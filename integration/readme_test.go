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

// The code around the unchanged lines of the documents' diffs, and around other pieces.
var surroundings = map[string]string{
	"amqp":       "var (ctx = context.Background(); ch *amqp.Channel; msg amqp.Publishing; err error)\n%s_ = err; return nil",
	"consume":    "var (ctx = context.Background(); deliveries chan amqp.Delivery; handle func(context.Context, amqp.Delivery)); _ = ctx\n%sreturn nil",
	"asynq":      "var (ctx = context.Background(); redis asynq.RedisClientOpt; task *asynq.Task; err error)\n%s_ = err; return nil",
	"middleware": "var sendWelcome func(context.Context, *asynq.Task) error\n%sreturn nil",

	"pool": "var (ctx = context.Background(); deliveries chan amqp.Delivery; bill func(context.Context, []byte) error)\n%sreturn nil",
	"fail": "var (ctx = context.Background(); deliveries chan amqp.Delivery; bill func(context.Context, []byte) error)\n%sreturn nil",

	"reminders": "%sreturn nil",
	"inbox":     "%sreturn nil",
	"delayed":   "%sreturn nil",
	"ownclient": "var (ctx context.Context; pub *amqptrace.Publisher; exchange, key string; msg amqp.Publishing; send func(context.Context, amqp.Publishing) error)\n%s",

	"byhand":        "var (ctx = context.Background(); tracer trace.Tracer; ch *amqp.Channel; pub *amqptrace.Publisher; msg amqp.Publishing; err error); _, _, _ = tracer, ch, pub\n%sreturn err",
	"byhandconsume": "var (tracer trace.Tracer; deliveries chan amqp.Delivery; handle func(context.Context, amqp.Delivery) error); _ = tracer\n%sreturn nil",
	"byhandasynq": "var (ctx = context.Background(); client *asynq.Client; traced *asynqtrace.Client; order string); _, _ = client, traced\n" +
		"type envelope struct { Trace propagation.MapCarrier; Order string }\n%sreturn err",
	"byhandworker":       "var mux = asynq.NewServeMux(); _ = mux\ntype envelope struct { Trace propagation.MapCarrier; Order string }\n%sreturn nil",
	"amqp091otel":        "var (ctx = context.Background(); raw *amqp.Channel; conn *amqp.Connection; url string; msg amqp.Publishing); _, _ = conn, url\n%sreturn err",
	"amqp091otelconsume": "var (raw *amqp.Channel; ch *amqp091otel.Channel; handle func(context.Context, amqp.Delivery)); _, _ = raw, ch\n%sreturn nil",
}

// The imports of all diffs, whether or not a particular one uses them.
const imports = `
import (
	"context"
	"encoding/json"
	"time"
	"github.com/hibiken/asynq"
	amqp "github.com/rabbitmq/amqp091-go"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
	"` + module + `amqptrace"
	"` + module + `asynqtrace"
	"` + module + `integration/amqp091otel"
)
var (
	_ context.Context
	_ = json.Marshal
	_ time.Time
	_ asynq.Task
	_ amqp.Channel
	_ = otel.Handle
	_ codes.Code
	_ propagation.MapCarrier
	_ trace.Span
	_ amqptrace.Option
	_ asynqtrace.Option
	_ amqp091otel.Channel
)
type headerCarrier amqp.Table
func (c headerCarrier) Get(key string) string { s, _ := c[key].(string); return s }
func (c headerCarrier) Set(key, value string) { c[key] = value }
func (c headerCarrier) Keys() []string { return nil }
`

var diffs = regexp.MustCompile("(?s)<!-- checked: (\\w+) -->\n *```(diff|go)\n(.*?)```")

var fences = regexp.MustCompile("(?m)^ *```(diff|go)$")

var files = regexp.MustCompile(`<!-- checked: (\S+\.go) -->`)

// The files that the documents show, each below a comment that names it, are compiled and
// tested where they are: some in a module outside go.work, because of what their imports
// bring along.
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

// docs/wrappers.md gives the length of the adapters, all of which are to stay below 60
// lines.
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

// Readers copy pieces of code and the new lines of diffs, so these must compile. The old lines
// must compile too: otherwise no program has them.
func TestDiffsCompile(t *testing.T) {
	t.Parallel()
	var program strings.Builder
	program.WriteString("package documents\n" + imports)
	checked := 0
	documents, err := filepath.Glob("../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range append(documents, "../README.md") {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		found := diffs.FindAllStringSubmatch(string(text), -1)
		if n := len(fences.FindAllString(string(text), -1)) - len(files.FindAllString(string(text), -1)); n != len(found) {
			t.Errorf("%s has %d pieces of code, of which %d are checked", name, n, len(found))
		}
		checked += len(found)
		for _, f := range found {
			around, ok := surroundings[f[1]]
			if !ok {
				t.Fatalf("no surrounding code for %q", f[1])
			}
			sides := map[string]string{"shown": f[3]}
			if f[2] == "diff" {
				sides = map[string]string{"before": side(t, f[3], "-"), "after": side(t, f[3], "+")}
			}
			for side, code := range sides {
				program.WriteString("func " + side + "_" + f[1] + "() error {\n" + strings.Replace(around, "%s", code, 1) + "\n}\n")
			}
		}
	}
	if checked != len(surroundings) {
		t.Errorf("%d diffs, want %d", checked, len(surroundings))
	}
	file := filepath.Join(t.TempDir(), "documents.go")
	if err := os.WriteFile(file, []byte(program.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), "go", "vet", file).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s\n%s", err, out, program.String())
	}
}

// side returns one side of a diff: the unchanged lines, and those with the sign.
func side(t *testing.T, diff, sign string) string {
	t.Helper()
	var b strings.Builder
	for line := range strings.Lines(diff) {
		switch line[:1] {
		case sign, " ":
			b.WriteString(line[1:])
		case "-", "+":
		default:
			t.Errorf("%q is not a line of a diff", line)
		}
	}
	return b.String()
}
