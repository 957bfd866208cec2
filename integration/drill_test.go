package integration_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A drillStep is a block of commands in docs/on-call.md, and the output below it.
type drillStep struct{ kind, commands, output string }

var drillSteps = regexp.MustCompile("(?s)<!-- drill: (\\w+) -->\n```sh\n(.*?)```\n(?:\n```text\n(.*?)```\n)?")

// drillLimit is how long the diagnosis may take after a worker has died, and how long any
// other output may take.
const drillLimit = time.Minute

// The document's commands, typed into one shell one after the other, print what it shows.
func TestDrill(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../docs/on-call.md")
	if err != nil {
		t.Fatal(err)
	}
	var steps []drillStep
	for _, found := range drillSteps.FindAllStringSubmatch(string(text), -1) {
		steps = append(steps, drillStep{found[1], found[2], found[3]})
	}
	if blocks := strings.Count(string(text), "```sh\n"); len(steps) != blocks || len(steps) < 10 {
		t.Fatalf("%d of %d blocks of commands are a step of the drill", len(steps), blocks)
	}
	d := newDrill(t)
	for _, step := range steps {
		d.take(step)
	}
}

// drill is a shell in which the commands run, and what differs from the document: ids, and
// the ports, since the document's may be in use.
type drill struct {
	*testing.T

	shell  io.WriteCloser
	output *bufio.Reader
	order  string // address of the order API
	page   string
	id     string // the first trace that the last output named
	died   time.Time
}

func newDrill(t *testing.T) *drill {
	t.Helper()
	d := &drill{T: t, order: freeAddress(t)}
	// The background programs end with the shell.
	shell := exec.CommandContext(t.Context(), "bash", "--norc")
	shell.Dir, shell.SysProcAttr = "..", &syscall.SysProcAttr{Setpgid: true}
	for _, pair := range os.Environ() {
		if name, _, _ := strings.Cut(pair, "="); !strings.HasPrefix(name, "OTEL_") && !strings.HasPrefix(name, "MQTRACE_") {
			shell.Env = append(shell.Env, pair)
		}
	}
	shell.Env = append(shell.Env, "TMPDIR="+t.TempDir(), "HTTP_ADDR="+d.order, "VIEW_ADDR=127.0.0.1:0")
	stderr := &logs{}
	shell.Stderr = stderr
	in, err := shell.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := shell.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := shell.Start(); err != nil {
		t.Fatal(err)
	}
	d.shell, d.output = in, bufio.NewReader(out)
	t.Cleanup(func() {
		_ = in.Close()
		_ = syscall.Kill(-shell.Process.Pid, syscall.SIGKILL)
		_ = shell.Wait()
		if t.Failed() {
			t.Logf("standard error:\n%s", stderr)
		}
	})
	return d
}

// freeAddress returns an address with a port that nothing listens on.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func (d *drill) take(step drillStep) {
	d.Helper()
	switch step.kind {
	case "serve":
		d.run(step.commands)
		d.serve()
		return
	case "workers":
		step.commands = regexp.MustCompile(`(?m)^export MQTRACE_.*$`).ReplaceAllString(step.commands, "")
	case "dies":
		d.died = time.Now()
	}
	d.until(step)
	if took := time.Since(d.died); step.kind == "answer" && took >= drillLimit {
		d.Errorf("the answer took %v", took)
	}
}

// until repeats the commands until they print what the document shows.
func (d *drill) until(step drillStep) {
	d.Helper()
	want := shapeOf(step.output)
	for began := time.Now(); ; time.Sleep(200 * time.Millisecond) {
		got := d.run(step.commands)
		if containsLines(shapeOf(got), want) {
			if id := regexp.MustCompile(`[0-9a-f]{32}`).FindString(got); id != "" {
				d.id = id
			}
			return
		}
		if time.Since(began) > drillLimit {
			d.Fatalf("%s\nprints\n%s\nwhich is not of the form\n%s\n%s", step.commands, got, step.output, d.run("cat $drill/workers.log"))
		}
	}
}

const drillEnd = "== drill end =="

// run types commands and returns what they print.
func (d *drill) run(commands string) string {
	d.Helper()
	commands = strings.ReplaceAll(commands, "localhost:8080", d.order)
	commands = regexp.MustCompile(`mqtrace (queues|trace)`).ReplaceAllString(commands, "mqtrace $1 -view "+d.page)
	if d.id != "" {
		commands = regexp.MustCompile(`\b[0-9a-f]{8}\b`).ReplaceAllString(commands, d.id[:8])
	}
	fmt.Fprintf(d.shell, "%s\necho; echo '%s'\n", commands, drillEnd)
	var out strings.Builder
	for {
		line, err := d.output.ReadString('\n')
		if err != nil {
			d.Fatalf("%s\nends the shell: %v\n%s", commands, err, out.String())
		}
		if strings.TrimSpace(line) == drillEnd {
			return out.String()
		}
		out.WriteString(line)
	}
}

// serve waits until the services are up, and sets the ports that they use in the shell.
func (d *drill) serve() {
	d.Helper()
	var log string
	eventually(d.T, "the services are up", func() bool {
		log = d.run("cat $drill/serve.log")
		return strings.Contains(log, "-run email")
	})
	d.page = regexp.MustCompile(`Their traces:\s+(http://\S+)`).FindStringSubmatch(log)[1]
	line := regexp.MustCompile(`(?m)^ +(\S.*) go run \./examples/order-notification -run email$`).FindStringSubmatch(log)
	d.run("export HTTP_ADDR=127.0.0.1:0 " + line[1])
}

// shapeOf is output without what differs each time.
func shapeOf(output string) []string {
	for _, r := range []struct{ of, with string }{
		{`[0-9a-f]{32}`, "ID"},
		{`\d\d:\d\d:\d\d`, "CLOCK"},
		{`\b(\d+m\d\ds|\d+(\.\d+)?(ns|µs|ms|s))`, "TIME"},
		{` +(0|[\d.]+)( +TIME +TIME +TIME)`, " RATE$2"}, // messages a minute
		{`\n(\d+ messages? not consumed)\n`, " · $1\n"}, // the heading of a trace is wrapped here
		{`[ ━┄]*\n`, "\n"},
		{` +`, " "},
	} {
		output = regexp.MustCompile(r.of).ReplaceAllString(output, r.with)
	}
	return strings.Split(strings.TrimSpace(output), "\n")
}

// containsLines reports whether got has the lines, in order.
func containsLines(got, lines []string) bool {
	for _, line := range got {
		if len(lines) > 0 && strings.TrimSpace(line) == strings.TrimSpace(lines[0]) {
			lines = lines[1:]
		}
	}
	return len(lines) == 0 || len(lines) == 1 && lines[0] == ""
}
