//go:build interop

package interop_test

import (
	"bufio"
	"encoding/json"
	"io"
	"maps"
	"os"
	"os/exec"
	"testing"
	"time"

	"go.opentelemetry.io/otel/propagation"
)

// program is a client that executes commands, a line of JSON each way.
type program struct {
	t     *testing.T
	name  string
	stdin io.WriteCloser
	lines *bufio.Reader
}

// args are the arguments of a command.
type args map[string]any

// answer is what a client reports.
type answer struct {
	Error       string            `json:"error"`
	Headers     map[string]field  `json:"headers"`
	Annotations map[string]field  `json:"annotations"`
	Body        string            `json:"body"`
	Redelivered bool              `json:"redelivered"`
	Tracestate  string            `json:"tracestate"`
	Baggage     map[string]string `json:"baggage"`
	Span        nodeSpan          `json:"span"`
}

// field is a header's value and the client's name for its type.
type field struct {
	Type  string `json:"type"`
	Value string `json:"value"`
}

type nodeSpan struct {
	Name       string         `json:"name"`
	Kind       string         `json:"kind"`
	Status     string         `json:"status"`
	StatusText string         `json:"statusText"`
	TraceID    string         `json:"traceId"`
	SpanID     string         `json:"spanId"`
	ParentID   string         `json:"parentId"`
	Links      []nodeLink     `json:"links"`
	Attributes map[string]any `json:"attributes"`
}

type nodeLink struct {
	TraceID    string `json:"traceId"`
	SpanID     string `json:"spanId"`
	Tracestate string `json:"tracestate"`
}

// start starts a client, which ends with the test. The broker's URL is in its environment:
// arguments can be read by every user of the machine.
func start(t *testing.T, url, name string, arg ...string) *program {
	t.Helper()
	cmd := exec.Command(name, arg...)
	cmd.Env = append(os.Environ(), "MQTRACE_AMQP_URL="+url, "OTEL_SDK_DISABLED=false", "OTEL_METRICS_EXPORTER=none", "OTEL_LOGS_EXPORTER=none",
		"OTEL_TRACES_EXPORTER=none", "OTEL_PROPAGATORS=tracecontext,baggage", "OTEL_TRACES_SAMPLER=parentbased_always_on")
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = stdin.Close()
		stuck := time.AfterFunc(patience, func() { _ = cmd.Process.Kill() })
		defer stuck.Stop()
		if err := cmd.Wait(); err != nil {
			t.Errorf("%s %v: %v", name, arg, err)
		}
	})
	return &program{t: t, name: name, stdin: stdin, lines: bufio.NewReader(stdout)}
}

// do makes a client execute a command.
func (p *program) do(op string, a args) answer {
	p.t.Helper()
	got := p.try(op, a)
	if got.Error != "" {
		p.t.Fatalf("%s: %s", op, got.Error)
	}
	return got
}

// try is do for a command that may fail.
func (p *program) try(op string, a args) answer {
	p.t.Helper()
	command := map[string]any{"op": op}
	maps.Copy(command, a)
	out, err := json.Marshal(command)
	if err != nil {
		p.t.Fatal(err)
	}
	if _, err := p.stdin.Write(append(out, '\n')); err != nil {
		p.t.Fatal(err)
	}
	line, err := p.lines.ReadBytes('\n')
	if err != nil {
		p.t.Fatal(p.name, ": ", err, " (was npm install run? See make interop)")
	}
	var got answer
	if err := json.Unmarshal(line, &got); err != nil {
		p.t.Fatalf("%v in %s", err, line)
	}
	return got
}

// sent is the context that messages are published in, as text. It is remote, as for a
// program in the middle of a trace.
var sent = propagation.MapCarrier{
	"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
	"tracestate":  "vendor=a:1,other=b",
	"baggage":     "tenant.id=t1,note=gr%C3%BC%C3%9Fe%20%3D%201",
}

const (
	sentTrace = "0af7651916cd43dd8448eb211c80319c"
	sentSpan  = "b7ad6b7169203331"
)

// bag is the baggage of sent.
var bag = map[string]string{"tenant.id": "t1", "note": "grüße = 1"}
