package telemetry_test

import (
	"context"
	"encoding/hex"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/metric/noop"

	"github.com/mqtrace/mqtrace/examples/order-notification/telemetry"
)

// work creates a span, with a log line and a measurement in it, and flushes everything.
func work(t *testing.T, tel *telemetry.Telemetry) (traceID, spanID string) {
	t.Helper()
	histogram, err := tel.MeterProvider.Meter("test").Float64Histogram("work.duration")
	if err != nil {
		t.Fatal(err)
	}
	ctx, span := tel.Tracer().Start(t.Context(), "work")
	histogram.Record(ctx, 1.5)
	tel.Log.With("order_id", "ord-1").WarnContext(ctx, "half done", "error", errors.New("no luck"))
	tel.Log.DebugContext(ctx, "not for the log")
	span.End()
	tel.Log.Info("outside")
	tel.Shutdown(context.Background())
	return span.SpanContext().TraceID().String(), span.SpanContext().SpanID().String()
}

func TestLogsGoByOTLPWithTheirSpan(t *testing.T) {
	c := newCollector(t)
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", c.URL)
	t.Setenv("OTEL_EXPORTER_OTLP_HEADERS", "authorization=secret")
	tel, written := setup(t, telemetry.Config{Service: "test"})
	traceID, spanID := work(t, tel)
	records, services := c.records()
	if len(records) != 2 || !slices.Equal(services, []string{"test", "test"}) {
		t.Fatalf("records: %v of %v, want two of test", records, services)
	}
	inside, outside := records[0], records[1]
	if hex.EncodeToString(inside.GetTraceId()) != traceID || hex.EncodeToString(inside.GetSpanId()) != spanID ||
		inside.GetFlags()&1 != 1 {
		t.Errorf("not of span %s of trace %s: %v", spanID, traceID, inside)
	}
	if inside.GetBody().GetStringValue() != "half done" || inside.GetSeverityText() != "WARN" {
		t.Errorf("body and severity: %v", inside)
	}
	attributes := make(map[string]string)
	for _, kv := range inside.GetAttributes() {
		attributes[kv.GetKey()] = kv.GetValue().GetStringValue()
	}
	if attributes["order_id"] != "ord-1" || attributes["exception.message"] != "no luck" {
		t.Errorf("attributes: %v", attributes)
	}
	if len(outside.GetTraceId()) != 0 {
		t.Errorf("a line outside of all spans has trace %x", outside.GetTraceId())
	}
	for _, text := range []string{"half done", "outside", traceID} {
		if !strings.Contains(written.String(), text) {
			t.Errorf("%q is not on standard error: %s", text, written)
		}
	}
	if got := c.header.Get("Authorization"); got != "secret" {
		t.Errorf("Authorization %q", got)
	}
}

func TestMetricsGoByOTLPWithExemplars(t *testing.T) {
	c := newCollector(t)
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", c.URL)
	tel, _ := setup(t, telemetry.Config{Service: "test"})
	traceID, spanID := work(t, tel)
	points := c.metric("work.duration").GetHistogram().GetDataPoints()
	if len(points) != 1 || points[0].GetCount() != 1 || points[0].GetSum() != 1.5 {
		t.Fatalf("points: %v", points)
	}
	exemplars := points[0].GetExemplars()
	if len(exemplars) != 1 || hex.EncodeToString(exemplars[0].GetTraceId()) != traceID ||
		hex.EncodeToString(exemplars[0].GetSpanId()) != spanID {
		t.Errorf("exemplars: %v, want one of span %s", exemplars, spanID)
	}
}

func TestWhichSignalsAreSent(t *testing.T) {
	all := []string{"/v1/logs", "/v1/metrics", "/v1/traces"}
	for name, c := range map[string]struct {
		variable, value string
		want            []string
	}{
		"all":        {"X", "", all},
		"no traces":  {"OTEL_TRACES_EXPORTER", "none", []string{"/v1/logs", "/v1/metrics"}},
		"no metrics": {"OTEL_METRICS_EXPORTER", " none ", []string{"/v1/logs", "/v1/traces"}},
		"no logs":    {"OTEL_LOGS_EXPORTER", "none", []string{"/v1/metrics", "/v1/traces"}},
		"nothing":    {"OTEL_SDK_DISABLED", "true", nil},
	} {
		t.Run(name, func(t *testing.T) {
			collector := newCollector(t)
			t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.URL)
			t.Setenv(c.variable, c.value)
			tel, written := setup(t, telemetry.Config{Service: "test"})
			work(t, tel)
			if got := slices.Sorted(maps.Keys(collector.requests)); !slices.Equal(got, c.want) {
				t.Errorf("requests to %v, want %v", got, c.want)
			}
			if !strings.Contains(written.String(), "half done") {
				t.Errorf("standard error: %s", written)
			}
		})
	}
}

func TestEndpointOfOneSignal(t *testing.T) {
	c := newCollector(t)
	t.Setenv("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", c.URL+"/elsewhere")
	tel, _ := setup(t, telemetry.Config{Service: "test"}) // with a viewer
	work(t, tel)
	if c.count("/elsewhere") != 1 || len(c.requests) != 1 {
		t.Errorf("requests: %v, want one to /elsewhere", c.requests)
	}
	if _, ok := tel.MeterProvider.(noop.MeterProvider); !ok {
		t.Errorf("metrics are made that go nowhere: %T", tel.MeterProvider)
	}
}

func TestSettingsThatAreNotBuiltInAreErrors(t *testing.T) {
	for name, c := range map[string]struct {
		env  map[string]string
		want string // "" for no error
	}{
		"http/protobuf":      {map[string]string{"OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf", "OTEL_LOGS_EXPORTER": "otlp"}, ""},
		"gRPC":               {map[string]string{"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, "OTEL_EXPORTER_OTLP_PROTOCOL=grpc"},
		"gRPC for logs":      {map[string]string{"OTEL_EXPORTER_OTLP_LOGS_PROTOCOL": "grpc"}, "OTEL_EXPORTER_OTLP_LOGS_PROTOCOL=grpc"},
		"JSON":               {map[string]string{"OTEL_EXPORTER_OTLP_PROTOCOL": "http/json"}, "use http/protobuf, which a Collector receives on port 4318"},
		"not gRPC for any":   {overridden("http/protobuf"), ""},
		"Prometheus":         {map[string]string{"OTEL_METRICS_EXPORTER": "prometheus"}, "OTEL_METRICS_EXPORTER=prometheus is not built in: use otlp or none"},
		"gRPC, nothing sent": {map[string]string{"OTEL_EXPORTER_OTLP_LOGS_PROTOCOL": "grpc", "OTEL_LOGS_EXPORTER": "none"}, ""},
		"gRPC, no SDK":       {map[string]string{"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc", "OTEL_SDK_DISABLED": "true"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			for variable, value := range c.env {
				t.Setenv(variable, value)
			}
			tel, err := telemetry.Setup(t.Context(), telemetry.Config{Service: "test", LogWriter: io.Discard})
			if err == nil {
				tel.Shutdown(context.Background())
			}
			if (err != nil) != (c.want != "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("the error is %v, want %q", err, c.want)
			}
		})
	}
}

// overridden has gRPC for all signals and another protocol for each.
func overridden(protocol string) map[string]string {
	env := map[string]string{"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}
	for _, signal := range []string{"TRACES", "METRICS", "LOGS"} {
		env["OTEL_EXPORTER_OTLP_"+signal+"_PROTOCOL"] = protocol
	}
	return env
}

// Logging, measuring and tracing never wait for the Collector or the viewer, and a shutdown
// waits for a bounded time.
func TestACollectorThatHangsBlocksNobody(t *testing.T) {
	release := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	defer server.Close()
	defer close(release)
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", server.URL)
	t.Setenv("OTEL_METRIC_EXPORT_INTERVAL", "1")
	t.Setenv("OTEL_BSP_SCHEDULE_DELAY", "1")
	t.Setenv("OTEL_BLRP_SCHEDULE_DELAY", "1")
	waitForever(t)
	tel, written := setup(t, telemetry.Config{Service: "test", ViewerURL: server.URL})
	counter, err := tel.MeterProvider.Meter("test").Int64Counter("work")
	if err != nil {
		t.Fatal(err)
	}
	ends(t, "the work", func() {
		for range 10_000 { // more than the queues hold
			ctx, span := tel.Tracer().Start(t.Context(), "work")
			counter.Add(ctx, 1)
			tel.Log.InfoContext(ctx, "working")
			span.End()
		}
	})
	ends(t, "the shutdown", func() { tel.Shutdown(context.Background()) })
	if !strings.Contains(written.String(), "the last spans may be lost") || !strings.Contains(written.String(), "no answer within 3s") {
		t.Errorf("it does not say that spans may be lost: %s", written)
	}
}
