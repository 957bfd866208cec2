package tap

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// The limits of the export queue, and of how long an export may take.
const (
	exportQueue    = 4096
	exportBatch    = 512
	exportInterval = time.Second
	exportTimeout  = 10 * time.Second
)

// Processor exports spans in batches, as the SDK's own does, and also counts their
// outcomes.
type Processor struct {
	exporter sdktrace.SpanExporter
	onError  func(error)
	queue    chan sdktrace.ReadOnlySpan
	stop     chan struct{}
	stopping sync.Once
	stopped  chan struct{}

	exported, dropped, failed atomic.Uint64
}

var _ sdktrace.SpanProcessor = (*Processor)(nil)

// NewProcessor starts a processor, which Shutdown ends. onError is called for exports that
// fail.
func NewProcessor(exporter sdktrace.SpanExporter, onError func(error)) *Processor {
	p := &Processor{
		exporter: exporter, onError: onError, queue: make(chan sdktrace.ReadOnlySpan, exportQueue),
		stop: make(chan struct{}), stopped: make(chan struct{}),
	}
	go p.run()
	return p
}

// OnStart does nothing.
func (p *Processor) OnStart(context.Context, sdktrace.ReadWriteSpan) {}

// OnEnd puts a span into the queue, or drops it if that is full.
func (p *Processor) OnEnd(s sdktrace.ReadOnlySpan) {
	select {
	case p.queue <- s:
	default:
		p.dropped.Add(1)
	}
}

// Count returns s with the outcomes of the spans.
func (p *Processor) Count(s Stats) Stats {
	s.Exported, s.Dropped, s.Failed = p.exported.Load(), p.dropped.Load(), p.failed.Load()
	return s
}

// ForceFlush does nothing: spans wait for a second at most.
func (p *Processor) ForceFlush(context.Context) error { return nil }

// Shutdown exports what is in the queue, and ends the exporter.
func (p *Processor) Shutdown(ctx context.Context) error {
	p.stopping.Do(func() { close(p.stop) })
	select {
	case <-p.stopped:
	case <-ctx.Done():
	}
	// An export that hangs ends with the exporter.
	err := p.exporter.Shutdown(ctx)
	<-p.stopped
	return err
}

func (p *Processor) run() {
	defer close(p.stopped)
	ticker := time.NewTicker(exportInterval)
	defer ticker.Stop()
	batch := make([]sdktrace.ReadOnlySpan, 0, exportBatch)
	for {
		select {
		case s := <-p.queue:
			if batch = append(batch, s); len(batch) == exportBatch {
				batch = p.export(batch)
			}
		case <-ticker.C:
			batch = p.export(batch)
		case <-p.stop:
			for len(p.queue) > 0 {
				if batch = append(batch, <-p.queue); len(batch) == exportBatch {
					batch = p.export(batch)
				}
			}
			p.export(batch)
			return
		}
	}
}

// export returns the batch, empty.
func (p *Processor) export(batch []sdktrace.ReadOnlySpan) []sdktrace.ReadOnlySpan {
	if len(batch) == 0 {
		return batch
	}
	ctx, cancel := context.WithTimeout(context.Background(), exportTimeout)
	defer cancel()
	if err := p.exporter.ExportSpans(ctx, batch); err != nil {
		p.failed.Add(uint64(len(batch)))
		p.onError(err)
	} else {
		p.exported.Add(uint64(len(batch)))
	}
	clear(batch) // so that the spans can be collected
	return batch[:0]
}
