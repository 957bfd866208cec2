package telemetry

import (
	"context"
	"io"
	"log/slog"
	"os"

	"go.opentelemetry.io/otel/sdk/resource"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"
)

// newLogger returns a logger of JSON lines that name their service and their span.
func newLogger(cfg Config, res *resource.Resource) *slog.Logger {
	var writer io.Writer = os.Stderr
	if cfg.LogWriter != nil {
		writer = cfg.LogWriter
	}
	name, _ := res.Set().Value(semconv.ServiceNameKey)
	handler := spanHandler{slog.NewJSONHandler(writer, &slog.HandlerOptions{Level: LogLevel()})}
	return slog.New(handler).With("service", name.AsString())
}

// LogLevel reads LOG_LEVEL (debug, info, warn, error). By default, info.
func LogLevel() slog.Level {
	level := slog.LevelInfo
	if text := os.Getenv("LOG_LEVEL"); text != "" {
		if err := level.UnmarshalText([]byte(text)); err != nil {
			return slog.LevelInfo
		}
	}
	return level
}

// spanHandler adds trace_id, span_id and trace_flags, under the names the
// OpenTelemetry specification gives them in non-OTLP logs, to every record
// logged with the context of a span:
// https://opentelemetry.io/docs/specs/otel/compatibility/logging_trace_context/
type spanHandler struct{ slog.Handler }

func (h spanHandler) Handle(ctx context.Context, record slog.Record) error {
	if sc := trace.SpanContextFromContext(ctx); sc.IsValid() {
		record = record.Clone()
		record.AddAttrs(
			slog.String("trace_id", sc.TraceID().String()),
			slog.String("span_id", sc.SpanID().String()),
			slog.String("trace_flags", sc.TraceFlags().String()),
		)
	}
	return h.Handler.Handle(ctx, record) //nolint:wrapcheck // A wrapper returns the inner handler's error.
}

// WithAttrs and WithGroup are written out because the embedded ones would
// return the inner handler and lose the ids.
func (h spanHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return spanHandler{h.Handler.WithAttrs(attrs)}
}

func (h spanHandler) WithGroup(name string) slog.Handler {
	return spanHandler{h.Handler.WithGroup(name)}
}
