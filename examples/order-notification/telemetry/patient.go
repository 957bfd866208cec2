package telemetry

import (
	"context"
	"log/slog"
	"sync"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// warnEvery is how often a Collector that stays away is mentioned in the log.
const warnEvery = time.Minute

// patientExporter turns failed exports into a warning now and then. Without
// it each lost batch is a line on standard error through the global error
// handler, in a format of its own and with no service to it.
type patientExporter struct {
	sdktrace.SpanExporter

	log *slog.Logger

	mu     sync.Mutex
	warned time.Time // zero while exports succeed
	lost   int       // spans lost since the last line
}

func (e *patientExporter) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	err := e.SpanExporter.ExportSpans(ctx, spans)
	e.mu.Lock()
	defer e.mu.Unlock()
	if err == nil {
		if !e.warned.IsZero() {
			e.log.InfoContext(ctx, "spans reach the Collector again", "lost_spans", e.lost)
			e.warned, e.lost = time.Time{}, 0
		}
		return nil
	}
	e.lost += len(spans)
	if time.Since(e.warned) >= warnEvery {
		e.log.WarnContext(ctx, "spans do not reach the Collector; the service goes on without it",
			"error", err, "lost_spans", e.lost)
		e.warned = time.Now()
	}
	return nil
}
