package telemetry

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"time"

	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// batchDelay is how long a span waits for others before it is sent, and so how much is lost
// when a process is killed. OTEL_BSP_SCHEDULE_DELAY wins.
const batchDelay = time.Second

func newTracerProvider(
	ctx context.Context, cfg Config, res *resource.Resource, log *slog.Logger,
) (*sdktrace.TracerProvider, error) {
	exporters, err := newSpanExporters(ctx, cfg, log)
	if err != nil {
		return nil, err
	}
	opts := []sdktrace.TracerProviderOption{sdktrace.WithResource(res)}
	for _, exporter := range exporters {
		opts = append(opts, sdktrace.WithBatcher(exporter, spanBatchOptions()...))
	}
	if sampler := newSampler(res); sampler != nil {
		opts = append(opts, sdktrace.WithSampler(sampler))
	}
	return sdktrace.NewTracerProvider(opts...), nil
}

// spanBatchOptions leaves to the SDK what the environment sets: an option in code would
// win.
func spanBatchOptions() []sdktrace.BatchSpanProcessorOption {
	if os.Getenv("OTEL_BSP_SCHEDULE_DELAY") != "" {
		return nil
	}
	return []sdktrace.BatchSpanProcessorOption{sdktrace.WithBatchTimeout(batchDelay)}
}

// newSpanExporters returns the exporter to the viewer, if there is one, and the one the
// environment asks for. The viewer comes first: processors are flushed in order at the end,
// and a Collector that hangs must not use up its time.
func newSpanExporters(ctx context.Context, cfg Config, log *slog.Logger) ([]sdktrace.SpanExporter, error) {
	var exporters []sdktrace.SpanExporter
	add := func(opts ...otlptracehttp.Option) error {
		exporter, err := otlptracehttp.New(ctx, opts...)
		if err != nil {
			return fmt.Errorf("create the OTLP exporter of spans: %w", err)
		}
		exporters = append(exporters, &spanExporter{exporter, &patience{log: log, what: "spans"}})
		return nil
	}
	if cfg.ViewerURL != "" {
		if err := add(viewerOptions(cfg.ViewerURL)...); err != nil {
			return nil, err
		}
	}
	if url, ok := signalTraces.target(cfg); ok {
		var opts []otlptracehttp.Option
		if url != "" {
			opts = append(opts, otlptracehttp.WithEndpointURL(url))
		}
		if err := add(opts...); err != nil {
			return nil, err
		}
	}
	return exporters, nil
}

// viewerOptions overrides the environment's settings for the Collector: its headers may
// hold credentials, and the viewer is on loopback without TLS.
func viewerOptions(base string) []otlptracehttp.Option {
	return []otlptracehttp.Option{
		otlptracehttp.WithEndpointURL(strings.TrimSuffix(base, "/") + "/v1/traces"),
		otlptracehttp.WithHeaders(map[string]string{}),
		otlptracehttp.WithTLSClientConfig(nil),
	}
}

// spanExporter tolerates the loss of spans.
type spanExporter struct {
	sdktrace.SpanExporter

	patience *patience
}

func (e *spanExporter) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	e.patience.saw(ctx, e.SpanExporter.ExportSpans(ctx, spans), len(spans))
	return nil
}
