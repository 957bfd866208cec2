package tap_test

import (
	"context"
	"errors"
	"testing"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/mqtrace/mqtrace/cmd/mqtrace/internal/tap"
)

// exporter is an exporter that can hang and fail.
type exporter struct {
	*tracetest.InMemoryExporter

	hang chan struct{} // until it is closed
	err  error
}

func (e *exporter) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	if e.hang != nil {
		select {
		case <-e.hang:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if e.err != nil {
		return e.err
	}
	return e.InMemoryExporter.ExportSpans(ctx, spans)
}

func (e *exporter) Shutdown(context.Context) error { return nil } // the embedded one's forgets the spans

func newExporter() *exporter { return &exporter{InMemoryExporter: tracetest.NewInMemoryExporter()} }

// export exports n spans and returns their outcome.
func export(t *testing.T, e *exporter, n int, before func()) (tap.Stats, int) {
	t.Helper()
	failures := 0
	p := tap.NewProcessor(e, func(error) { failures++ })
	provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(p))
	for range n {
		_, span := provider.Tracer("test").Start(t.Context(), "x")
		span.End()
	}
	before()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	ok(t, provider.Shutdown(ctx))
	return p.Count(tap.Stats{}), failures
}

func TestProcessorExportsAll(t *testing.T) {
	e := newExporter()
	stats, _ := export(t, e, 1000, func() {})
	if stats.Exported != 1000 || stats.Dropped != 0 || stats.Failed != 0 || len(e.GetSpans()) != 1000 {
		t.Errorf("stats %v, %d spans", stats, len(e.GetSpans()))
	}
}

// Spans do not wait for a full batch.
func TestProcessorExportsSoon(t *testing.T) {
	e := newExporter()
	stats, _ := export(t, e, 1, func() {
		deadline := time.Now().Add(patience)
		for len(e.GetSpans()) == 0 && time.Now().Before(deadline) {
			time.Sleep(10 * time.Millisecond)
		}
		if len(e.GetSpans()) != 1 {
			t.Error("nothing is exported until the end")
		}
	})
	if stats.Exported != 1 {
		t.Errorf("stats %v", stats)
	}
}

// The queue is bounded while a Collector hangs, and spans that do not fit are counted.
func TestProcessorDrops(t *testing.T) {
	e := newExporter()
	e.hang = make(chan struct{})
	const spans = 10_000
	stats, _ := export(t, e, spans, func() { close(e.hang) })
	if stats.Exported+stats.Dropped != spans || stats.Exported < 4096 || stats.Exported > 4096+2*512 {
		t.Errorf("stats %v", stats)
	}
}

func TestProcessorFails(t *testing.T) {
	e := newExporter()
	e.err = errors.New("no")
	stats, failures := export(t, e, 1000, func() {})
	if stats.Failed != 1000 || stats.Exported != 0 || failures != 2 {
		t.Errorf("stats %v, told %d times", stats, failures)
	}
}
