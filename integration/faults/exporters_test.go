package faults_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"go.opentelemetry.io/otel"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// badExporter is one that is slow, dead or refused.
type badExporter struct {
	export func(ctx context.Context) error
	calls  atomic.Int64
}

func (e *badExporter) ExportSpans(ctx context.Context, _ []sdktrace.ReadOnlySpan) error {
	e.calls.Add(1)
	return e.export(ctx)
}

func (*badExporter) Shutdown(context.Context) error { return nil }

// Behind OpenTelemetry's batch processor, what becomes of spans is nothing that a
// message waits for: those that find the processor's queue full are dropped there.
func TestExporters(t *testing.T) {
	errRefused := errors.New("collector refused")
	reported := make(chan error, 1)
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) {
		select {
		case reported <- err:
		default:
		}
	}))
	for name, export := range map[string]func(ctx context.Context, end <-chan struct{}) error{
		"slow": func(_ context.Context, end <-chan struct{}) error {
			select {
			case <-end:
			case <-time.After(300 * time.Millisecond):
			}
			return nil
		},
		// It does not even look at its context.
		"dead":    func(_ context.Context, end <-chan struct{}) error { <-end; return nil },
		"refused": func(context.Context, <-chan struct{}) error { return errRefused },
	} {
		t.Run(name, func(t *testing.T) {
			end := make(chan struct{})
			exporter := &badExporter{export: func(ctx context.Context) error { return export(ctx, end) }}
			b := startBroker(t)
			at := on(b)
			at.hasty = 10 * time.Second
			at.exporting = sdktrace.NewBatchSpanProcessor(exporter,
				sdktrace.WithMaxQueueSize(64), sdktrace.WithMaxExportBatchSize(32), sdktrace.WithBatchTimeout(10*time.Millisecond))
			l := startLoad(t, at)
			for range 3 {
				began := time.Now()
				l.progress()
				if took := time.Since(began); took > 10*time.Second {
					t.Errorf("300 messages took %v", took)
				}
			}
			l.last = func() {
				close(end)
				_ = at.exporting.Shutdown(context.Background())
			}
			l.stop()
			l.none("publish timeout")
			l.none("publish closed")
			l.none("publish nacked")
			if exporter.calls.Load() == 0 {
				t.Error("nothing was ever exported")
			}
			if name == "refused" {
				if err := <-reported; !errors.Is(err, errRefused) {
					t.Errorf("OpenTelemetry reports %v", err)
				}
			}
		})
	}
}
