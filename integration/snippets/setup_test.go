package telemetry_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"

	"go.opentelemetry.io/otel"
	metricspb "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	tracespb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	telemetry "github.com/mqtrace/mqtrace/integration/snippets"
)

// A collector records the names of the spans and metrics that it receives.
type collector struct {
	tracespb.UnimplementedTraceServiceServer

	names chan string
}

func newCollector() *collector { return &collector{names: make(chan string, 10)} }

func (c *collector) Export(_ context.Context, r *tracespb.ExportTraceServiceRequest) (*tracespb.ExportTraceServiceResponse, error) {
	c.names <- r.GetResourceSpans()[0].GetScopeSpans()[0].GetSpans()[0].GetName()
	return &tracespb.ExportTraceServiceResponse{}, nil
}

// metrics is the collector's metrics service, a type of its own because the method has the
// same name.
type metrics struct {
	metricspb.UnimplementedMetricsServiceServer

	collector *collector
}

func (m metrics) Export(_ context.Context, r *metricspb.ExportMetricsServiceRequest) (*metricspb.ExportMetricsServiceResponse, error) {
	m.collector.names <- r.GetResourceMetrics()[0].GetScopeMetrics()[0].GetMetrics()[0].GetName()
	return &metricspb.ExportMetricsServiceResponse{}, nil
}

func (c *collector) serveGRPC(t *testing.T) (url string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer()
	tracespb.RegisterTraceServiceServer(server, c)
	metricspb.RegisterMetricsServiceServer(server, metrics{collector: c})
	t.Cleanup(server.Stop)
	go func() {
		if err := server.Serve(listener); err != nil {
			t.Error(err)
		}
	}()
	return "http://" + listener.Addr().String()
}

func (c *collector) serveHTTP(t *testing.T) (url string) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		switch r.URL.Path {
		case "/v1/traces":
			var request tracespb.ExportTraceServiceRequest
			if err = proto.Unmarshal(body, &request); err == nil {
				_, err = c.Export(r.Context(), &request)
			}
		case "/v1/metrics":
			var request metricspb.ExportMetricsServiceRequest
			if err = proto.Unmarshal(body, &request); err == nil {
				_, err = metrics{collector: c}.Export(r.Context(), &request)
			}
		}
		if err != nil {
			t.Error(err)
		}
	}))
	t.Cleanup(server.Close)
	return server.URL
}

func TestSetUp(t *testing.T) {
	for protocol, serve := range map[string]func(*collector, *testing.T) string{
		"http/protobuf": (*collector).serveHTTP,
		"grpc":          (*collector).serveGRPC,
	} {
		t.Run(protocol, func(t *testing.T) {
			c := newCollector()
			t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", serve(c, t))
			t.Setenv("OTEL_EXPORTER_OTLP_PROTOCOL", protocol)
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
			if got := otel.GetTextMapPropagator().Fields(); !slices.Contains(got, "traceparent") {
				t.Errorf("the propagator writes %q", got)
			}
			if err := shutdown(t.Context()); err != nil {
				t.Fatal(err)
			}
			got := []string{<-c.names, <-c.names}
			if slices.Sort(got); !slices.Equal(got, []string{"a span", "a.counter"}) {
				t.Errorf("received %q", got)
			}
		})
	}
}
