package telemetry_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"go.opentelemetry.io/otel"
	tracespb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/protobuf/proto"

	telemetry "github.com/mqtrace/mqtrace/integration/snippets"
)

// A receiver records the paths of trace requests, and the service of the last.
type receiver struct {
	paths      []string
	service    string
	tracesOnly bool
}

func newReceiver(t *testing.T) (r *receiver, url string) {
	t.Helper()
	r = new(receiver)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		if !strings.HasSuffix(request.URL.Path, "/v1/traces") {
			if r.tracesOnly {
				http.NotFound(w, request)
			}
			return
		}
		r.paths = append(r.paths, request.URL.Path)
		if request.URL.Path != "/v1/traces" {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		body, err := io.ReadAll(request.Body)
		if err != nil {
			t.Error(err)
		}
		var export tracespb.ExportTraceServiceRequest
		if err := proto.Unmarshal(body, &export); err != nil {
			t.Error(err)
		}
		for _, a := range export.GetResourceSpans()[0].GetResource().GetAttributes() {
			if a.GetKey() == "service.name" {
				r.service = a.GetValue().GetStringValue()
			}
		}
	}))
	t.Cleanup(server.Close)
	return r, server.URL
}

// record sets up the SDK for traces only, records a span and shuts the SDK down. It
// returns the errors given to OpenTelemetry's error handler, which logs them by default.
func record(t *testing.T) (reported string) {
	t.Helper()
	t.Setenv("OTEL_METRICS_EXPORTER", "none")
	reported, err := recordAll(t)
	if err != nil {
		t.Fatal(err)
	}
	return reported
}

// recordAll is record with metrics. It returns the error of the shutdown too.
func recordAll(t *testing.T) (reported string, err error) {
	t.Helper()
	t.Setenv("OTEL_BSP_EXPORT_TIMEOUT", "500")
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { reported += err.Error() + "\n" }))
	shutdown, err := telemetry.SetUp(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ctx, span := otel.Tracer("test").Start(t.Context(), "a span")
	counter, err := otel.Meter("test").Int64Counter("a.counter")
	if err != nil {
		t.Fatal(err)
	}
	counter.Add(ctx, 1)
	span.End()
	err = shutdown(t.Context())
	return reported, err
}

func TestEndpointWithTheSignalsPath(t *testing.T) {
	r, url := newReceiver(t)
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", url+"/v1/traces")
	if got := record(t); !strings.Contains(got, "/v1/traces/v1/traces: 404 Not Found") {
		t.Errorf("reported: %s", got)
	}
	if len(r.paths) != 1 || r.paths[0] != "/v1/traces/v1/traces" {
		t.Errorf("requested: %q", r.paths)
	}
}

func TestEndpointOfTracesAlone(t *testing.T) {
	r, url := newReceiver(t)
	t.Setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", url+"/v1/traces")
	if got := record(t); got != "" || len(r.paths) != 1 {
		t.Errorf("requested: %q, reported: %s", r.paths, got)
	}
}

// The receiver takes traces only, as mqtrace view does.
func TestMetricsAreRefused(t *testing.T) {
	r, url := newReceiver(t)
	r.tracesOnly = true
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", url)
	reported, err := recordAll(t)
	if reported != "" || len(r.paths) != 1 || err == nil || !strings.Contains(err.Error(), "/v1/metrics: 404 Not Found") {
		t.Errorf("requested: %q, reported: %s, shutdown: %v", r.paths, reported, err)
	}
}

func TestEndpointWithoutAScheme(t *testing.T) {
	r, url := newReceiver(t)
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", strings.Replace(strings.TrimPrefix(url, "http://"), "127.0.0.1", "localhost", 1))
	if got := record(t); !strings.Contains(got, "no Host in request URL") || len(r.paths) != 0 {
		t.Errorf("requested: %q, reported: %s", r.paths, got)
	}
}

func TestEndpointOfTracesWithoutAPath(t *testing.T) {
	var path string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path = r.URL.Path
		w.WriteHeader(http.StatusMethodNotAllowed)
	}))
	defer server.Close()
	t.Setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", server.URL)
	if got := record(t); !strings.Contains(got, "405 Method Not Allowed") || path != "/" {
		t.Errorf("requested: %s, reported: %s", path, got)
	}
}

func TestNothingIsExportedWithoutShutdown(t *testing.T) {
	r, url := newReceiver(t)
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", url)
	t.Setenv("OTEL_METRICS_EXPORTER", "none")
	shutdown, err := telemetry.SetUp(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	_, span := otel.Tracer("test").Start(t.Context(), "a span")
	span.End()
	if len(r.paths) != 0 { // it waits for others, for 5 s unless OTEL_BSP_SCHEDULE_DELAY says otherwise
		t.Errorf("requested: %q", r.paths)
	}
	if err := shutdown(t.Context()); err != nil || len(r.paths) != 1 {
		t.Errorf("requested: %q, %v", r.paths, err)
	}
}

func TestGRPCSentToThePortOfHTTP(t *testing.T) {
	r, url := newReceiver(t)
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", url)
	t.Setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
	if got := record(t); !strings.Contains(got, "looked like an HTTP/1.1 header") || len(r.paths) != 0 {
		t.Errorf("requested: %q, reported: %s", r.paths, got)
	}
}

// This is what the exporters do without an endpoint, at https://localhost:4318.
func TestTLSSentToAReceiverWithoutIt(t *testing.T) {
	r, url := newReceiver(t)
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", strings.Replace(url, "http:", "https:", 1))
	if got := record(t); !strings.Contains(got, "server gave HTTP response to HTTPS client") || len(r.paths) != 0 {
		t.Errorf("requested: %q, reported: %s", r.paths, got)
	}
}

func TestSwitchedOff(t *testing.T) {
	for variable, value := range map[string]string{"OTEL_TRACES_EXPORTER": "none", "OTEL_TRACES_SAMPLER": "always_off"} {
		t.Run(variable, func(t *testing.T) {
			r, url := newReceiver(t)
			t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", url)
			t.Setenv(variable, value)
			if got := record(t); got != "" || len(r.paths) != 0 {
				t.Errorf("requested: %q, reported: %s", r.paths, got)
			}
		})
	}
}

// The SDK reads the variables once in a process, so each case is a separate process.
func TestServiceName(t *testing.T) {
	if want := os.Getenv("WANT_SERVICE_NAME"); want != "" {
		r, url := newReceiver(t)
		t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", url)
		if got := record(t); got != "" || r.service != want {
			t.Errorf("service.name is %q, reported: %s", r.service, got)
		}
		return
	}
	for setting, want := range map[string]string{
		"":                         "unknown_service:" + filepath.Base(os.Args[0]),
		"OTEL_SERVICE_NAME=orders": "orders",
		"OTEL_RESOURCE_ATTRIBUTES=service.name=orders,service.version=1.4.2": "orders",
	} {
		t.Run(setting, func(t *testing.T) {
			cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestServiceName$")
			cmd.Env = append(os.Environ(), "WANT_SERVICE_NAME="+want)
			if setting != "" {
				cmd.Env = append(cmd.Env, setting)
			}
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}
