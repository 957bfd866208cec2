package telemetry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"sync"
	"time"

	"go.opentelemetry.io/otel/metric"
	metricnoop "go.opentelemetry.io/otel/metric/noop"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	"go.opentelemetry.io/otel/trace"
	tracenoop "go.opentelemetry.io/otel/trace/noop"
)

// flushTimeout bounds how long a stopping service waits for its last spans, metrics and log
// records to leave, so that a Collector that hangs cannot hold up a deployment.
const flushTimeout = 3 * time.Second

// Config has the service's name and where its spans and logs go. The standard OTEL_*
// variables apply too.
type Config struct {
	// Service is the service.name, unless OTEL_SERVICE_NAME gives another.
	Service string
	// Version is the service.version. By default, "dev".
	Version string
	// KeepName makes Service win over OTEL_SERVICE_NAME, for a process that hosts several
	// services, which one variable cannot name.
	KeepName bool
	// ViewerURL is the base URL of another OTLP/HTTP receiver of the spans, besides the one
	// in the environment. It gets neither metrics nor logs. By default, there is none.
	ViewerURL string
	// LogWriter gets the JSON log lines. By default, standard error.
	LogWriter io.Writer
}

// Telemetry is what a service needs to be observed.
type Telemetry struct {
	TracerProvider trace.TracerProvider
	MeterProvider  metric.MeterProvider
	Propagators    propagation.TextMapPropagator
	Log            *slog.Logger

	providers []provider // none with OTEL_SDK_DISABLED
	shutdown  sync.Once
}

// provider is a part of the SDK that buffers data to be sent.
type provider struct {
	what     string
	shutdown func(context.Context) error
}

// Setup builds the exporters, the processors, the sampler and the resource, and
// a logger whose lines carry the ids of the span they were written in. The
// caller calls [Telemetry.Shutdown] before it exits.
//
// Nothing here ever waits for a Collector: what cannot be sent is kept in the SDK's bounded
// queues, and dropped when they are full.
func Setup(ctx context.Context, cfg Config) (*Telemetry, error) {
	res, misread := newResource(ctx, cfg)
	t := &Telemetry{
		TracerProvider: tracenoop.NewTracerProvider(),
		MeterProvider:  metricnoop.NewMeterProvider(),
		Propagators: propagation.NewCompositeTextMapPropagator(
			propagation.TraceContext{}, propagation.Baggage{}),
		Log: newLogger(cfg, res),
	}
	if sdkDisabled() {
		return t, nil
	}
	if err := checkSettings(); err != nil {
		return nil, fmt.Errorf("set up telemetry of %s: %w", cfg.Service, err)
	}
	if misread != nil {
		// An invalid OTEL_RESOURCE_ATTRIBUTES must not stop the service from taking orders.
		t.Log.WarnContext(ctx, "part of the telemetry resource is invalid", "error", misread)
	}
	if err := t.build(ctx, cfg, res); err != nil {
		t.Shutdown(context.WithoutCancel(ctx))
		return nil, fmt.Errorf("set up telemetry of %s: %w", cfg.Service, err)
	}
	return t, nil
}

// build starts the three providers. The exporters report to the logger that writes to
// standard error only: their complaints about the Collector should not be sent to it.
func (t *Telemetry) build(ctx context.Context, cfg Config, res *resource.Resource) error {
	plain := t.Log
	tracers, err := newTracerProvider(ctx, cfg, res, plain)
	if err != nil {
		return err
	}
	t.TracerProvider = tracers
	t.providers = append(t.providers, provider{"spans", tracers.Shutdown})

	meters, err := newMeterProvider(ctx, cfg, res, plain)
	if err != nil {
		return err
	}
	if meters != nil {
		t.MeterProvider = meters
		lendToSDK(meters)
		t.providers = append(t.providers, provider{"metrics", meters.Shutdown})
	}

	loggers, err := newLoggerProvider(ctx, cfg, res, plain)
	if err != nil {
		return err
	}
	if loggers != nil {
		t.Log = withOTLP(plain, loggers)
		t.providers = append(t.providers, provider{"log records", loggers.Shutdown})
	}
	return nil
}

// Shutdown sends what is still buffered, for a few seconds at most, and logs if that fails.
// It must be called with a context that has not been canceled: the signal that stopped the
// service must not stop the flush too. The three providers are flushed at the same time, so
// that none uses up another's time.
func (t *Telemetry) Shutdown(ctx context.Context) {
	t.shutdown.Do(func() {
		ctx, cancel := context.WithTimeout(ctx, flushTimeout)
		defer cancel()
		var flushes sync.WaitGroup
		for _, p := range t.providers {
			flushes.Go(func() { t.flush(ctx, p) })
		}
		flushes.Wait()
	})
}

func (t *Telemetry) flush(ctx context.Context, p provider) {
	err := p.shutdown(ctx)
	if err == nil {
		return
	}
	if errors.Is(err, context.DeadlineExceeded) {
		err = fmt.Errorf("no answer within %v", flushTimeout)
	}
	t.Log.WarnContext(ctx, "the last "+p.what+" may be lost", "error", err)
}

func sdkDisabled() bool {
	return strings.EqualFold(strings.TrimSpace(os.Getenv("OTEL_SDK_DISABLED")), "true")
}
