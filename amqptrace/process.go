package amqptrace

import (
	"context"
	"sync"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/mqtrace/mqtrace/internal/messaging"
)

// process is the processing of one message or of one batch.
type process struct {
	consumer *Consumer
	ctx      handlerContext
	span     trace.Span
	start    time.Time
	count    int64 // messages that are counted as consumed here
	messages []acknowledger
	single   [1]acknowledger

	// A handler may pass a delivery on to a goroutine that settles it at any time.
	mu    sync.Mutex
	ended bool
	err   error // reported by Fail
}

// handlerContext is the context that a handler receives. It leads Fail to the process.
type handlerContext struct {
	context.Context

	process *process
}

type processKey struct{}

// Value returns the process too.
func (c *handlerContext) Value(key any) any {
	if key == (processKey{}) {
		return c.process
	}
	return c.Context.Value(key)
}

func (p *process) fail(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err == nil {
		p.err = err
	}
}

// end ends the span and measures it. err is the handler's error; returned is false
// if the handler did not return but panicked. A message that is not traced has no
// process.
func (p *process) end(err error, returned bool) {
	if p == nil {
		return
	}
	p.mu.Lock()
	p.ended = true
	settled := p.settlement()
	if err == nil {
		err = p.err
	}
	p.mu.Unlock()

	failure := ""
	switch {
	case !returned:
		failure = messaging.ErrorTypePanic
		messaging.FailDidNotReturn(p.span)
	case err != nil:
		failure = fail(p.span, err)
	case settled.gaveUp():
		failure = errorTypeRejected
		messaging.Fail(p.span, failure, "message was given up: "+settled.String())
	}
	if p.span.IsRecording() {
		p.span.SetAttributes(settlementAttributes[settled]...)
	}
	point := messaging.Point{Destination: p.consumer.destination, ErrorType: failure}
	p.consumer.process.Done(p.ctx.Context, p.start, point, p.count)
	p.span.End()
}

// settlement is how the messages were settled. Of several it is the one that says most,
// so that a batch with one message that was given up does not pass for acked.
func (p *process) settlement() settlement {
	s := p.messages[0].settlement
	for i := range p.messages[1:] {
		s = max(s, p.messages[1+i].settlement)
	}
	return s
}

// note keeps a settlement that the host took, and returns links to the messages that it
// was for if it came too late for the span. One that the host did not take leaves the
// message unsettled: the broker delivers it again. Of several the first counts, as with
// the broker.
func (p *process) note(
	by *acknowledger, s settlement, tag uint64, multiple bool, err error,
) (links []trace.Link, late bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := range p.messages {
		m := &p.messages[i]
		if !m.settledBy(by, tag, multiple) {
			continue
		}
		if late = p.ended; late {
			links = m.appendLink(links)
		}
		if err == nil {
			m.settlement = s
		}
	}
	return links, late
}

// unsettled links to the messages that a settlement is about to be for.
func (p *process) unsettled(by *acknowledger, tag uint64, multiple bool) []trace.Link {
	p.mu.Lock()
	defer p.mu.Unlock()
	var links []trace.Link
	for i := range p.messages {
		if m := &p.messages[i]; m.settledBy(by, tag, multiple) {
			links = m.appendLink(links)
		}
	}
	return links
}
