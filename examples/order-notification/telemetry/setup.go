package telemetry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"time"

	"go.opentelemetry.io/otel/propagation"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
)

// flushTimeout bounds how long a stopping service waits for its last spans to
// leave, so that a Collector which hangs cannot hold up a deployment.
const flushTimeout = 3 * time.Second

// Config says who the service is and where its spans and logs go. What the
// standard OTEL_* variables say is read in addition.
type Config struct {
	// Service is the service.name, unless OTEL_SERVICE_NAME gives another.
	Service string
	// Version is the service.version. By default, "dev".
	Version string
	// KeepName makes Service win over OTEL_SERVICE_NAME, for a process that
	// hosts several services and whose one variable cannot name them all.
	KeepName bool
	// ViewerURL is the base URL of an OTLP/HTTP receiver that gets the spans
	// besides the one the environment names. By default, there is none.
	ViewerURL string
	// LogWriter gets the JSON log lines. By default, standard error.
	LogWriter io.Writer
}

// Telemetry is what a service needs to be observed.
type Telemetry struct {
	TracerProvider trace.TracerProvider
	Propagators    propagation.TextMapPropagator
	Log            *slog.Logger

	sdk *sdktrace.TracerProvider // nil with OTEL_SDK_DISABLED
}

// Setup builds the exporters, the batch processors, the sampler and the
// resource, and a logger whose lines carry the ids of the span they were
// written in. The caller calls [Telemetry.Shutdown] before it exits.
func Setup(ctx context.Context, cfg Config) (*Telemetry, error) {
	t := &Telemetry{
		Propagators: propagation.NewCompositeTextMapPropagator(
			propagation.TraceContext{}, propagation.Baggage{}),
		Log: newLogger(cfg),
	}
	if sdkDisabled() {
		t.TracerProvider = noop.NewTracerProvider()
		return t, nil
	}
	res, err := newResource(ctx, cfg)
	if err != nil {
		// A wrong OTEL_RESOURCE_ATTRIBUTES is no reason not to take orders.
		t.Log.WarnContext(ctx, "part of the telemetry resource was not understood", "error", err)
	}
	exporters, err := newExporters(ctx, cfg, t.Log)
	if err != nil {
		return nil, fmt.Errorf("set up telemetry of %s: %w", cfg.Service, err)
	}
	opts := []sdktrace.TracerProviderOption{sdktrace.WithResource(res)}
	for _, exporter := range exporters {
		opts = append(opts, sdktrace.WithBatcher(exporter, batchOptions()...))
	}
	if sampler := newSampler(res); sampler != nil {
		opts = append(opts, sdktrace.WithSampler(sampler))
	}
	t.sdk = sdktrace.NewTracerProvider(opts...)
	t.TracerProvider = t.sdk
	return t, nil
}

// Shutdown sends the spans that are still waiting, for a few seconds at most,
// and says in the log if that failed. It is called with a context that has
// not been cancelled: the signal that stopped the service must not stop the
// flush too.
func (t *Telemetry) Shutdown(ctx context.Context) {
	if t.sdk == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, flushTimeout)
	defer cancel()
	if err := t.sdk.Shutdown(ctx); err != nil {
		if errors.Is(err, context.DeadlineExceeded) {
			err = fmt.Errorf("no answer within %v", flushTimeout)
		}
		t.Log.WarnContext(ctx, "the last spans may be lost", "error", err)
	}
}

func sdkDisabled() bool {
	return strings.EqualFold(strings.TrimSpace(os.Getenv("OTEL_SDK_DISABLED")), "true")
}
