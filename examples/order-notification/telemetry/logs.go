package telemetry

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"go.opentelemetry.io/contrib/bridges/otelslog"
	"go.opentelemetry.io/otel/exporters/otlp/otlplog/otlploghttp"
	sdklog "go.opentelemetry.io/otel/sdk/log"
	"go.opentelemetry.io/otel/sdk/resource"
)

// newLoggerProvider returns nil if no logs are to be sent.
func newLoggerProvider(
	ctx context.Context, cfg Config, res *resource.Resource, log *slog.Logger,
) (*sdklog.LoggerProvider, error) {
	url, ok := signalLogs.target(cfg)
	if !ok {
		return nil, nil //nolint:nilnil // Told apart by the only caller.
	}
	var opts []otlploghttp.Option
	if url != "" {
		opts = append(opts, otlploghttp.WithEndpointURL(url))
	}
	exporter, err := otlploghttp.New(ctx, opts...)
	if err != nil {
		return nil, fmt.Errorf("create the OTLP exporter of logs: %w", err)
	}
	patient := &logExporter{exporter, &patience{log: log, what: "log records"}}
	return sdklog.NewLoggerProvider(
		sdklog.WithResource(res),
		sdklog.WithProcessor(sdklog.NewBatchProcessor(patient)),
	), nil
}

// withOTLP returns a logger that writes its lines as log does and sends them by OTLP too,
// where a record has fields of its own for the ids of the span.
func withOTLP(log *slog.Logger, provider *sdklog.LoggerProvider) *slog.Logger {
	bridge := otelslog.NewHandler(scopeName, otelslog.WithLoggerProvider(provider))
	return slog.New(bothHandlers{log.Handler(), levelHandler{bridge, LogLevel()}})
}

// bothHandlers handles each record twice. Go 1.26 has slog.NewMultiHandler for it.
type bothHandlers [2]slog.Handler

func (h bothHandlers) Enabled(ctx context.Context, level slog.Level) bool {
	return h[0].Enabled(ctx, level) || h[1].Enabled(ctx, level)
}

func (h bothHandlers) Handle(ctx context.Context, r slog.Record) error {
	var errs [2]error
	for i, handler := range h {
		if handler.Enabled(ctx, r.Level) {
			errs[i] = handler.Handle(ctx, r.Clone())
		}
	}
	return errors.Join(errs[:]...)
}

func (h bothHandlers) WithAttrs(attrs []slog.Attr) slog.Handler {
	return bothHandlers{h[0].WithAttrs(attrs), h[1].WithAttrs(attrs)}
}

func (h bothHandlers) WithGroup(name string) slog.Handler {
	return bothHandlers{h[0].WithGroup(name), h[1].WithGroup(name)}
}

// levelHandler drops records below its level. The bridge alone would send all of them.
type levelHandler struct {
	slog.Handler

	level slog.Level
}

func (h levelHandler) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= h.level && h.Handler.Enabled(ctx, level)
}

func (h levelHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return levelHandler{h.Handler.WithAttrs(attrs), h.level}
}

func (h levelHandler) WithGroup(name string) slog.Handler {
	return levelHandler{h.Handler.WithGroup(name), h.level}
}

// logExporter tolerates the loss of log records, which are on standard error too.
type logExporter struct {
	sdklog.Exporter

	patience *patience
}

func (e *logExporter) Export(ctx context.Context, records []sdklog.Record) error {
	e.patience.saw(ctx, e.Exporter.Export(ctx, records), len(records))
	return nil
}
