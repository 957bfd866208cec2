package main

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"go.opentelemetry.io/otel/trace"

	"github.com/mqtrace/mqtrace/internal/traceview"
	"github.com/mqtrace/mqtrace/internal/traceview/spans"
)

func traceID(t *testing.T, text string) trace.TraceID {
	t.Helper()
	id, err := trace.TraceIDFromHex(text)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// sample is a file of traces: the first is traceA.
func sample(name string) string { return filepath.Join("internal", "tracesource", "testdata", name) }

func TestTraceFile(t *testing.T) {
	order := ok(t, "trace", sample("order.json"))
	golden(t, "trace-order", order)
	golden(t, "trace-order.json", ok(t, "trace", sample("order.json"), "-o", "json"))
	golden(t, "trace-attribute", ok(t, "trace", sample("order.json"), "-attribute", "http.request.method", "-id", traceA))
	cmd := process(t, "trace", "-")
	in, err := os.Open(sample("order.json"))
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	cmd.Stdin = in
	if out, err := cmd.CombinedOutput(); err != nil || string(out) != order {
		t.Errorf("from the standard input: %v: %s", err, out)
	}
}

// A download may be named after its trace, which is then read from the file.
func TestTraceFileNamedByID(t *testing.T) {
	order, err := filepath.Abs(sample("order.json"))
	if err != nil {
		t.Fatal(err)
	}
	want := ok(t, "trace", order)
	t.Chdir(t.TempDir())
	if err := os.Symlink(order, traceA); err != nil {
		t.Fatal(err)
	}
	if got := ok(t, "trace", traceA, "-view", "http://127.0.0.1:1"); got != want {
		t.Error(got)
	}
}

// A command whose output could not be written has failed.
func TestOutputThatFails(t *testing.T) {
	for _, args := range [][]string{{"trace", sample("order.json")}, {"queues", sample("order.json")}, {"-version"}} {
		var stderr strings.Builder
		code := run(t.Context(), append([]string{"mqtrace"}, args...), full{}, &stderr)
		if code != exitFailed || !strings.Contains(stderr.String(), "no space left") {
			t.Errorf("%q: exit code %d: %s", args, code, stderr.String())
		}
	}
}

// full is a disk.
type full struct{}

func (full) Write([]byte) (int, error) { return 0, syscall.ENOSPC }

// A saved trace can be drawn again.
func TestTraceRoundTrip(t *testing.T) {
	file := filepath.Join(t.TempDir(), "saved.json")
	if err := os.WriteFile(file, []byte(ok(t, "trace", sample("order.json"), "-o", "json")), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, want := ok(t, "trace", file), ok(t, "trace", sample("order.json")); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestTraceErrors(t *testing.T) {
	garbage := filepath.Join(t.TempDir(), "garbage.json")
	if err := os.WriteFile(garbage, []byte(`{"a": 1}`), 0o600); err != nil {
		t.Fatal(err)
	}
	fails(t, exitFailed, "no such file", "trace", garbage+"-none")
	fails(t, exitFailed, "neither OTLP JSON nor Jaeger's", "trace", garbage)
	fails(t, exitFailed, "has no trace "+traceB, "trace", sample("jaeger.json"), "-id", traceB)
	fails(t, exitFailed, "connection refused; use -view to name the mqtrace view", "trace", traceA, "-view", "http://127.0.0.1:1")
	fails(t, exitFailed, "connection refused; use -view to name the mqtrace view", "trace", traceA[:8], "-view", "http://127.0.0.1:1")
	fails(t, exitFailed, "a trace id has 32 digits", "trace", traceA[:7])
	fails(t, exitFailed, "a trace id has 32 digits", "trace", traceA[:20])
	fails(t, exitUsage, "a trace id is 32", "trace", sample("order.json"), "-id", "xyz")
	fails(t, exitUsage, "expected one argument", "trace")
	if r := tool(t, "trace", "http://u:geheim@127.0.0.1:1/"); r.code != exitFailed || strings.Contains(r.stderr, "geheim") {
		t.Errorf("exit code %d, %s", r.code, r.stderr)
	}
	if r := tool(t, "trace", "http://u:geh%zzeim@127.0.0.1:1/"); r.code != exitUsage || strings.Contains(r.stderr, "zzeim") {
		t.Errorf("exit code %d, %s", r.code, r.stderr)
	}
}

// A trace of which a view has dropped spans is not shown as whole.
func TestTraceOfWhichSpansWereDropped(t *testing.T) {
	kept := traceview.NewStore(traceview.Limits{SpansPerTrace: 2})
	for n := range byte(5) {
		kept.Add(spans.Span{TraceID: traceID(t, traceA), SpanID: trace.SpanID{n + 1}, Name: "step"})
	}
	view, err := traceview.Listen("127.0.0.1:0", kept)
	if err != nil {
		t.Fatal(err)
	}
	defer view.Close()
	for _, args := range [][]string{{traceA, "-view", view.URL()}, {traceA[:8], "-view", view.URL()}, {view.URL()}} {
		if got := ok(t, append([]string{"trace"}, args...)...); !strings.Contains(got, "2 spans") || !strings.Contains(got, "3 spans dropped") {
			t.Errorf("%q: %s", args, got)
		}
	}
	if r := tool(t, "trace", traceA, "-view", view.URL(), "-o", "json"); r.code != 0 || !strings.Contains(r.stderr, "3 spans are missing") {
		t.Errorf("exit code %d: %s", r.code, r.stderr)
	}
}

// A running view is queried by id, by its own address and by that of a trace's page.
func TestTraceView(t *testing.T) {
	in, err := os.ReadFile(sample("order.json"))
	if err != nil {
		t.Fatal(err)
	}
	view, err := traceview.Listen("127.0.0.1:0", traceview.NewStore(traceview.Limits{}))
	if err != nil {
		t.Fatal(err)
	}
	defer view.Close()
	response, err := http.Post(view.URL()+traceview.TracesPath, "application/json", strings.NewReader(string(in)))
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatal(response, err)
	}
	_ = response.Body.Close()
	want := ok(t, "trace", sample("order.json"), "-id", traceA)
	for _, args := range [][]string{
		{traceA, "-view", view.URL()}, {view.URL(), "-id", traceA}, {view.URL() + "/#/trace/" + traceA}, {view.URL() + "/api/traces/" + traceA},
	} {
		if got := ok(t, append([]string{"trace"}, args...)...); got != want {
			t.Errorf("%q: got\n%s\nwant\n%s", args, got, want)
		}
	}
	r := tool(t, "trace", view.URL(), "-n", "1")
	if r.code != 0 || !strings.Contains(r.stderr, "1 of 2 traces shown, the limit is 1 (-n)") {
		t.Errorf("exit code %d, %s", r.code, r.stderr)
	}
	fails(t, exitFailed, "has no trace "+strings.Repeat("1", 32), "trace", strings.Repeat("1", 32), "-view", view.URL())
	http.DefaultClient.CloseIdleConnections()
}

// jaeger answers as Jaeger 1.76 does, with responses recorded in files.
func jaeger(t *testing.T, paths map[string]string) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name, found := paths[r.URL.Path]
		if !found {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		http.ServeFile(w, r, sample(name))
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// Jaeger's two APIs return the same trace, by its id or by its page.
func TestTraceJaeger(t *testing.T) {
	const v1, v3 = "/api/traces/" + traceA, "/api/v3/traces/" + traceA
	for name, paths := range map[string]map[string]string{
		"v3":       {v3: "jaeger-v3.json"},
		"v1 alone": {v1: "jaeger.json"},
	} {
		t.Run(name, func(t *testing.T) {
			url := jaeger(t, paths)
			byID := ok(t, "trace", traceA, "-view", url)
			golden(t, "trace-jaeger-"+strings.Fields(name)[0], byID)
			if page := ok(t, "trace", url+"/trace/"+traceA+"?uiFind="+spanA); page != byID {
				t.Errorf("by its page:\n%s\nby its id:\n%s", page, byID)
			}
			fails(t, exitFailed, "has no trace "+traceB, "trace", traceB, "-view", url)
		})
	}
	fails(t, exitFailed, "has no list of traces", "trace", jaeger(t, map[string]string{"/api/traces": "jaeger.json"}))
}
