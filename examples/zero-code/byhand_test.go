package zerocode

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// The example that calls mqtrace and otelhttp by hand, with providers that are not global,
// shows the same traces when it is built with the tool.
func TestByHand(t *testing.T) {
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for _, part := range []string{"order-notification", "internal"} {
		if err := os.CopyFS(filepath.Join(dir, part), os.DirFS(filepath.Join("..", part))); err != nil {
			t.Fatal(err)
		}
	}
	for from, to := range map[string]string{
		"../go.mod": "go.mod", "../go.sum": "go.sum", "orchestrion.tool.go": "orchestrion.tool.go",
	} {
		content, err := os.ReadFile(from)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, to), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	run := func(name string, args ...string) string {
		t.Helper()
		cmd := exec.Command(name, args...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=-mod=mod",
			"OTEL_TRACES_EXPORTER=none", "OTEL_METRICS_EXPORTER=none")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
		}
		return string(out)
	}
	edit := []string{"mod", "edit", "-require=github.com/mqtrace/mqtrace/auto@v0.0.0", "-tool=github.com/DataDog/orchestrion"}
	for _, module := range []string{"", "/amqptrace", "/asynqtrace", "/auto", "/internal/traceview"} {
		edit = append(edit, "-replace=github.com/mqtrace/mqtrace"+module+"="+root+module)
	}
	run("go", edit...)
	run("go", "mod", "tidy")
	run("go", "build", "-o", "plain", "./order-notification")
	run("go", "tool", "orchestrion", "go", "build", "-o", "woven", "./order-notification")

	plain, woven := traces(run("./plain")), traces(run("./woven"))
	if !slices.Equal(plain, woven) || len(plain) == 0 {
		t.Errorf("plain\n%s\nwoven\n%s", strings.Join(plain, "\n"), strings.Join(woven, "\n"))
	}
}

// traces returns the lines with the number of services and spans of each trace.
func traces(out string) (lines []string) {
	for _, m := range regexp.MustCompile(`(?m)^trace \w+ · (\d+ services? · \d+ spans)`).FindAllStringSubmatch(out, -1) {
		lines = append(lines, m[1])
	}
	return lines
}
