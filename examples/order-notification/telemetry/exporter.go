package telemetry

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"time"

	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// The batch processor's four numbers, chosen rather than inherited: what is
// lost when a process is killed (the delay), what an unreachable Collector
// costs in memory (the queue), and how long one export may take. Each has its
// OTEL_BSP_* variable, which wins.
const (
	batchQueueSize     = 4096
	batchSize          = 512
	batchDelay         = time.Second
	batchExportTimeout = 5 * time.Second
)

const defaultEndpoint = "http://localhost:4318"

// batchOptions leaves out what the environment sets: the SDK reads those
// variables first and lets options in code win.
func batchOptions() []sdktrace.BatchSpanProcessorOption {
	var opts []sdktrace.BatchSpanProcessorOption
	for variable, opt := range map[string]sdktrace.BatchSpanProcessorOption{
		"OTEL_BSP_MAX_QUEUE_SIZE":        sdktrace.WithMaxQueueSize(batchQueueSize),
		"OTEL_BSP_MAX_EXPORT_BATCH_SIZE": sdktrace.WithMaxExportBatchSize(batchSize),
		"OTEL_BSP_SCHEDULE_DELAY":        sdktrace.WithBatchTimeout(batchDelay),
		"OTEL_BSP_EXPORT_TIMEOUT":        sdktrace.WithExportTimeout(batchExportTimeout),
	} {
		if os.Getenv(variable) == "" {
			opts = append(opts, opt)
		}
	}
	return opts
}

// newExporters returns the exporter to the viewer, if there is one, and the
// one the environment asks for. The viewer comes first: processors are flushed
// in order at the end, and a Collector that hangs must not eat its share.
func newExporters(ctx context.Context, cfg Config, log *slog.Logger) ([]sdktrace.SpanExporter, error) {
	var exporters []sdktrace.SpanExporter
	add := func(opts ...otlptracehttp.Option) error {
		exporter, err := otlptracehttp.New(ctx, opts...)
		if err != nil {
			return fmt.Errorf("create the OTLP exporter: %w", err)
		}
		exporters = append(exporters, &patientExporter{SpanExporter: exporter, log: log})
		return nil
	}
	if cfg.ViewerURL != "" {
		if err := add(viewerOptions(cfg.ViewerURL)...); err != nil {
			return nil, err
		}
	}
	switch {
	case strings.TrimSpace(os.Getenv("OTEL_TRACES_EXPORTER")) == "none":
	case EndpointSet():
		if protocol() == "grpc" {
			log.WarnContext(ctx, "OTLP over gRPC is asked for and not built in: sending http/protobuf")
		}
		if err := add(); err != nil {
			return nil, err
		}
	case cfg.ViewerURL == "":
		if err := add(otlptracehttp.WithEndpointURL(defaultEndpoint)); err != nil {
			return nil, err
		}
	}
	return exporters, nil
}

// viewerOptions undoes what the environment says about the Collector: its
// headers may hold credentials, and the viewer is on loopback without TLS.
func viewerOptions(base string) []otlptracehttp.Option {
	return []otlptracehttp.Option{
		otlptracehttp.WithEndpointURL(strings.TrimSuffix(base, "/") + "/v1/traces"),
		otlptracehttp.WithHeaders(map[string]string{}),
		otlptracehttp.WithTLSClientConfig(nil),
	}
}

// EndpointSet reports whether the environment names an OTLP endpoint for
// traces.
func EndpointSet() bool {
	return os.Getenv("OTEL_EXPORTER_OTLP_ENDPOINT") != "" ||
		os.Getenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") != ""
}

func protocol() string {
	if p := os.Getenv("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"); p != "" {
		return p
	}
	return os.Getenv("OTEL_EXPORTER_OTLP_PROTOCOL")
}
