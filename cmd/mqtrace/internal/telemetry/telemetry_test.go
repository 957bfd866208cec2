package telemetry_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"go.opentelemetry.io/otel/trace"

	"github.com/mqtrace/mqtrace/cmd/mqtrace/internal/telemetry"
	"github.com/mqtrace/mqtrace/internal/traceview"
)

const endpoint, special = "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"

// run records spans of one trace, like a command that was interrupted: its context has
// ended, and its spans are exported nevertheless.
func run(t *testing.T, spans int) (trace.SpanContext, error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	tel := telemetry.New(ctx, "v1.2.3")
	tracer := tel.TracerProvider.Tracer("test")
	ctx, root := tracer.Start(ctx, "root")
	var all sync.WaitGroup
	for range spans - 1 {
		all.Go(func() { _, s := tracer.Start(ctx, "child"); s.End() })
	}
	all.Wait()
	cancel()
	root.End()
	return root.SpanContext(), tel.Shutdown(ctx)
}

func TestSent(t *testing.T) {
	store := traceview.NewStore(traceview.Limits{})
	view, err := traceview.Listen("127.0.0.1:0", store)
	ok(t, err)
	defer view.Close()
	traces := view.URL() + "/v1/traces"
	for name, tt := range map[string]struct {
		variables              map[string]string
		made, sampled          bool
		service, version, team string // none if nothing is sent
	}{
		"nothing set":      {nil, true, true, "", "", ""},
		"endpoint":         {map[string]string{endpoint: view.URL()}, true, true, "mqtrace", "v1.2.3", ""},
		"with a path":      {map[string]string{special: traces}, true, true, "mqtrace", "v1.2.3", ""},
		"the special wins": {map[string]string{endpoint: "http://127.0.0.1:1", special: traces}, true, true, "mqtrace", "v1.2.3", ""},
		"named":            {map[string]string{endpoint: view.URL(), "OTEL_SERVICE_NAME": "nightly"}, true, true, "nightly", "v1.2.3", ""},
		"resource": {map[string]string{endpoint: view.URL(), "OTEL_RESOURCE_ATTRIBUTES": "service.name=n,service.version=v2,nonsense,team=%41"},
			true, true, "n", "v2", "A"},
		"no exporter":      {map[string]string{endpoint: view.URL(), "OTEL_TRACES_EXPORTER": " None "}, true, true, "", "", ""},
		"no sampling":      {map[string]string{endpoint: view.URL(), "OTEL_TRACES_SAMPLER": "always_off"}, true, false, "", "", ""},
		"disabled":         {map[string]string{endpoint: view.URL(), "OTEL_SDK_DISABLED": " TRUE "}, false, false, "", "", ""},
		"not disabled":     {map[string]string{endpoint: view.URL(), "OTEL_SDK_DISABLED": "1"}, true, true, "mqtrace", "v1.2.3", ""},
		"disabled, broken": {map[string]string{endpoint: "http://%zz", "OTEL_SDK_DISABLED": "true"}, false, false, "", "", ""},
		"none, broken":     {map[string]string{endpoint: "http://%zz", "OTEL_TRACES_EXPORTER": "none"}, true, true, "", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			const spans = 5
			environment(t, tt.variables)
			span, err := run(t, spans)
			ok(t, err)
			if span.IsValid() != tt.made || span.IsSampled() != tt.sampled {
				t.Errorf("span %+v", span)
			}
			got, sent := store.Trace(span.TraceID())
			if sent != (tt.service != "") || sent && len(got.Spans) != spans {
				t.Fatalf("sent %v, %d spans", sent, len(got.Spans))
			}
			for _, s := range got.Spans {
				a := s.Resource.Attributes
				if s.Service != tt.service || a.Text("service.version") != tt.version || a.Text("team") != tt.team {
					t.Errorf("resource %v", a)
				}
			}
		})
	}
}

// An error that keeps spans from being exported is returned once, without a password, and
// not printed.
func TestNotSent(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/refused/v1/traces":
			http.Error(w, "quota", http.StatusBadRequest)
		case "/later/v1/traces":
			w.Header().Set("Retry-After", "100")
			w.WriteHeader(http.StatusServiceUnavailable)
		case "/partly/v1/traces":
			w.Header().Set("Content-Type", "application/x-protobuf")
			_, _ = w.Write([]byte("\x0a\x06\x08\x01\x12\x02no")) // one span rejected, with a message
		case "/garbage/v1/traces":
			w.Header().Set("Content-Type", "application/x-protobuf")
			_, _ = w.Write([]byte("\xff\xff\xff"))
		}
	}))
	defer srv.Close()
	for name, tt := range map[string]struct{ url, want string }{
		"no URL":         {"http://u:geheim%zz@h", endpoint + " is not a URL"},
		"no port":        {"http://u:geheim@127.0.0.1:x", endpoint + " is not a URL"},
		"no scheme":      {"127.0.0.1:4318", endpoint + " is not a URL"},
		"no host":        {"localhost:4318", ""},
		"nobody there":   {"http://u:geheim@127.0.0.1:1", "127.0.0.1:1"},
		"no TLS":         {strings.Replace(srv.URL, "http:", "https:", 1), "HTTPS"},
		"refused":        {srv.URL + "/refused", "quota"},
		"not now":        {srv.URL + "/later", ""},
		"not all":        {srv.URL + "/partly", "1 spans rejected"},
		"no OTLP answer": {srv.URL + "/garbage", ""},
	} {
		t.Run(name, func(t *testing.T) {
			environment(t, map[string]string{endpoint: tt.url})
			before := printed.Load()
			span, err := run(t, 2)
			if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "geheim") || strings.Count(err.Error(), "\n") > 1 {
				t.Errorf("error %v", err)
			}
			if n := printed.Load() - before; n != 0 || !span.IsSampled() {
				t.Errorf("%d errors printed, span %+v", n, span)
			}
		})
	}
}
