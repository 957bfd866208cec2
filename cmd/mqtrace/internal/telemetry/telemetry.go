// Package telemetry creates the spans of a short-lived command and exports them as the
// environment says.
package telemetry

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"

	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/mqtrace/mqtrace/cmd/mqtrace/internal/weburl"
)

// flushTimeout is how long a command waits for its spans to leave.
const flushTimeout = 5 * time.Second

// Telemetry provides a command's tracer.
type Telemetry struct {
	TracerProvider trace.TracerProvider

	shutdown func(context.Context) error
	exporter *exporter
}

// New follows OpenTelemetry's environment variables. With OTEL_SDK_DISABLED there are no
// spans. Without an OTLP endpoint, or with OTEL_TRACES_EXPORTER=none, spans are made and
// not sent. OTEL_TRACES_SAMPLER and OTEL_SERVICE_NAME apply; the default name is mqtrace.
// New never fails: [Telemetry.Shutdown] reports errors in the variables.
func New(ctx context.Context, version string) *Telemetry {
	if strings.EqualFold(strings.TrimSpace(os.Getenv("OTEL_SDK_DISABLED")), "true") {
		return &Telemetry{TracerProvider: noop.NewTracerProvider()}
	}
	t := &Telemetry{}
	opts := []sdktrace.TracerProviderOption{sdktrace.WithResource(newResource(ctx, version))}
	if endpointSet() && !strings.EqualFold(strings.TrimSpace(os.Getenv("OTEL_TRACES_EXPORTER")), "none") {
		t.exporter = newExporter(ctx)
		opts = append(opts, sdktrace.WithSyncer(t.exporter))
	}
	provider := sdktrace.NewTracerProvider(opts...)
	t.TracerProvider, t.shutdown = provider, provider.Shutdown
	return t
}

// newResource names the service. The environment takes precedence; malformed parts of it
// are left out.
func newResource(ctx context.Context, version string) *resource.Resource {
	r, _ := resource.New(ctx,
		resource.WithSchemaURL(semconv.SchemaURL),
		resource.WithTelemetrySDK(),
		resource.WithAttributes(semconv.ServiceName("mqtrace"), semconv.ServiceVersion(version)),
		resource.WithFromEnv())
	return r
}

// endpoints are the variables of the endpoint, the more specific one first.
var endpoints = [...]string{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"}

func endpointSet() bool {
	for _, name := range endpoints {
		if os.Getenv(name) != "" {
			return true
		}
	}
	return false
}

// Shutdown ends the telemetry, and returns the reason if spans were not sent.
func (t *Telemetry) Shutdown(ctx context.Context) error {
	if t.shutdown == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), flushTimeout)
	defer cancel()
	if err := t.shutdown(ctx); err != nil {
		return err
	}
	if t.exporter == nil {
		return nil
	}
	return t.exporter.failed()
}

// exporter keeps the first error, which the SDK would print on its own.
type exporter struct {
	otlp sdktrace.SpanExporter // nil if it could not be made

	mu  sync.Mutex
	err error
}

var _ sdktrace.SpanExporter = (*exporter)(nil)

// Check returns the error in the environment variables that keeps spans from being sent: a
// protocol that is not built in, or an endpoint that is not a URL. It quotes neither.
func Check() error {
	off := strings.EqualFold(strings.TrimSpace(os.Getenv("OTEL_SDK_DISABLED")), "true") ||
		strings.EqualFold(strings.TrimSpace(os.Getenv("OTEL_TRACES_EXPORTER")), "none")
	if off || !endpointSet() {
		return nil
	}
	if p := cmp.Or(os.Getenv("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"), os.Getenv("OTEL_EXPORTER_OTLP_PROTOCOL")); p == "grpc" {
		return errors.New("OTLP over gRPC is not built in: name an OTLP/HTTP receiver with OTEL_EXPORTER_OTLP_ENDPOINT, " +
			"usually http://localhost:4318, and set OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf")
	}
	for _, name := range endpoints {
		value := os.Getenv(name)
		if value == "" {
			continue
		}
		if _, err := weburl.Parse(value); err != nil {
			return fmt.Errorf("%s is not a valid http:// URL, such as http://localhost:4318", name)
		}
	}
	return nil
}

func newExporter(ctx context.Context) *exporter {
	for _, name := range endpoints {
		if _, err := url.Parse(os.Getenv(name)); err != nil {
			return &exporter{err: fmt.Errorf("%s is not a URL", name)} // err quotes it, password included
		}
	}
	otlp, err := otlptracehttp.New(ctx)
	if err != nil {
		return &exporter{err: err}
	}
	return &exporter{otlp: otlp}
}

// ExportSpans sends the spans, waiting no longer than a command may.
func (e *exporter) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	if e.otlp == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, flushTimeout)
	defer cancel()
	if err := e.otlp.ExportSpans(ctx, spans); err != nil {
		e.mu.Lock()
		defer e.mu.Unlock()
		if e.err == nil {
			e.err = err
		}
	}
	return nil
}

// Shutdown closes the connection.
func (e *exporter) Shutdown(ctx context.Context) error {
	if e.otlp == nil {
		return nil
	}
	return e.otlp.Shutdown(ctx)
}

func (e *exporter) failed() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.err
}
