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

// badExporter is an exporter that is slow, hangs or fails.
type badExporter struct {
	export func() error
	calls  atomic.Int64
}

func (e *badExporter) ExportSpans(context.Context, []sdktrace.ReadOnlySpan) error {
	e.calls.Add(1)
	return e.export()
}

func (*badExporter) Shutdown(context.Context) error { return nil }

// With OpenTelemetry's batch processor no message waits for an export: spans that find the
// processor's queue full are dropped.
func TestExporters(t *testing.T) {
	errRefused := errors.New("collector refused")
	reported := make(chan error, 1)
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) {
		select {
		case reported <- err:
		default:
		}
	}))
	for name, export := range map[string]func(next, end <-chan struct{}) error{
		// 32 spans while 300 messages come and go, at any speed.
		"slow": func(next, end <-chan struct{}) error {
			select {
			case <-end:
			case <-next:
			}
			return nil
		},
		// It ignores even its context.
		"dead":    func(_, end <-chan struct{}) error { <-end; return nil },
		"refused": func(_, _ <-chan struct{}) error { return errRefused },
	} {
		t.Run(name, func(t *testing.T) {
			const rounds = 3
			next, end := make(chan struct{}, rounds), make(chan struct{})
			exporter := &badExporter{export: func() error { return export(next, end) }}
			b := startBroker(t)
			at := on(b)
			at.hasty = forGood
			at.exporting = sdktrace.NewBatchSpanProcessor(exporter,
				sdktrace.WithMaxQueueSize(64), sdktrace.WithMaxExportBatchSize(32), sdktrace.WithBatchTimeout(10*time.Millisecond))
			l := startLoad(t, at)
			for range rounds {
				l.progress() // or never, if messages wait for an export
				next <- struct{}{}
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
