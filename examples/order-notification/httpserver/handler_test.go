package httpserver_test

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/mqtrace/mqtrace/examples/order-notification/httpserver"
	"github.com/mqtrace/mqtrace/examples/order-notification/telemetry"
)

type fixture struct {
	*httptest.Server

	spans *tracetest.SpanRecorder
	log   *bytes.Buffer
	// Names and routes that the sampler saw.
	sampled *sampler
}

// sampler records what a sampler can know about a span when it starts.
type sampler struct{ names, routes []string }

func (s *sampler) ShouldSample(p sdktrace.SamplingParameters) sdktrace.SamplingResult {
	route := ""
	for _, kv := range p.Attributes {
		if kv.Key == "http.route" {
			route = kv.Value.AsString()
		}
	}
	s.names, s.routes = append(s.names, p.Name), append(s.routes, route)
	return sdktrace.SamplingResult{Decision: sdktrace.RecordAndSample}
}

func (*sampler) Description() string { return "test" }

func newFixture(t *testing.T) *fixture {
	t.Helper()
	f := &fixture{spans: tracetest.NewSpanRecorder(), log: &bytes.Buffer{}, sampled: &sampler{}}
	mux := httpserver.NewHealthMux(func(context.Context) error { return nil })
	mux.HandleFunc("GET /things/{id}", func(w http.ResponseWriter, _ *http.Request) {
		httpserver.WriteJSON(w, http.StatusOK, "thing")
	})
	mux.HandleFunc("GET /panic", func(http.ResponseWriter, *http.Request) { panic("boo") })
	mux.HandleFunc("GET /late-panic", func(w http.ResponseWriter, _ *http.Request) {
		httpserver.WriteJSON(w, http.StatusAccepted, "begun")
		panic("boo")
	})
	mux.HandleFunc("GET /abort", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	f.Server = httptest.NewServer(httpserver.NewHandler(mux, &telemetry.Telemetry{
		TracerProvider: sdktrace.NewTracerProvider(
			sdktrace.WithSpanProcessor(f.spans), sdktrace.WithSampler(f.sampled)),
		Propagators: propagation.TraceContext{},
		Log:         slog.New(slog.NewJSONHandler(f.log, nil)),
	}))
	t.Cleanup(f.Close)
	return f
}

func (f *fixture) get(t *testing.T, path string) (*http.Response, map[string]any) {
	t.Helper()
	response, err := f.Client().Get(f.URL + path)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var body map[string]any
	_ = json.NewDecoder(response.Body).Decode(&body) // not all are objects
	return response, body
}

func TestSpansAreNamedByRouteFromTheStart(t *testing.T) {
	f := newFixture(t)
	f.get(t, "/things/7")
	f.get(t, "/nothing/8")
	if got := f.sampled.names; len(got) != 2 || got[0] != "GET /things/{id}" || got[1] != "GET" {
		t.Errorf("names: %q", got)
	}
	if got := f.sampled.routes; got[0] != "/things/{id}" || got[1] != "" {
		t.Errorf("routes: %q", got)
	}
	if got := f.spans.Ended()[0].Name(); got != "GET /things/{id}" {
		t.Errorf("name at the end: %q", got)
	}
}

func TestEveryTracedAnswerNamesItsTrace(t *testing.T) {
	f := newFixture(t)
	for path, status := range map[string]int{
		"/things/7": 200, "/nothing": 404, "/panic": 500, "/late-panic": 202, "/healthz": 200,
	} {
		response, body := f.get(t, path)
		id := response.Header.Get("x-trace-id")
		if response.StatusCode != status || (id == "") != (path == "/healthz") {
			t.Errorf("%s: status %d, x-trace-id %q", path, response.StatusCode, id)
		}
		if status >= 400 && (body["trace_id"] != id || body["code"] == "") {
			t.Errorf("%s: body %v, trace %s", path, body, id)
		}
	}
}

func TestPanicEndsTheSpanAndIsLogged(t *testing.T) {
	for _, path := range []string{"/panic", "/late-panic"} {
		f := newFixture(t)
		f.get(t, path)
		f.Close() // the span of a late panic ends after the response has begun
		ended := f.spans.Ended()
		if len(ended) != 1 || ended[0].Status().Code != codes.Error {
			t.Fatalf("%s: spans %v", path, ended)
		}
		errorType := ""
		for _, kv := range ended[0].Attributes() {
			if kv.Key == "error.type" {
				errorType = kv.Value.AsString()
			}
		}
		if errorType != "panic" || !strings.Contains(f.log.String(), "handler_test.go") {
			t.Errorf("%s: error.type %q, log %s", path, errorType, f.log)
		}
	}
}

func TestAbortDropsTheConnection(t *testing.T) {
	f := newFixture(t)
	if response, err := f.Client().Get(f.URL + "/abort"); err == nil {
		response.Body.Close()
		t.Errorf("answered %s", response.Status)
	}
}

func TestBaseURL(t *testing.T) {
	for addr, want := range map[string]string{
		":8080":          "http://127.0.0.1:8080",
		"0.0.0.0:80":     "http://127.0.0.1:80",
		"[::]:80":        "http://127.0.0.1:80",
		"10.0.0.7:80":    "http://10.0.0.7:80",
		"[::1]:80":       "http://[::1]:80",
		"localhost:8080": "http://localhost:8080",
	} {
		if got := httpserver.BaseURL(addr); got != want {
			t.Errorf("%s: %s, want %s", addr, got, want)
		}
	}
}
