package amqptrace

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"go.opentelemetry.io/otel/trace"

	"github.com/mqtrace/mqtrace/internal/messaging"
)

// process is the processing of one message or of one batch.
type process struct {
	consumer *Consumer
	ctx      handlerContext
	span     trace.Span
	start    time.Time
	point    messaging.Point // without a failure
	count    int64           // messages that are counted as consumed here
	messages []acknowledger
	single   [1]acknowledger
	batch    bool

	// A handler may pass a delivery to a goroutine that settles it at any time.
	mu       sync.Mutex
	ended    bool
	failures []reported // the first one counts
	order    *order     // of the messages, nil until it is needed
}

// reported is an error that was learned before the end of a process: by Fail, or by a handler
// that was called within it, if that has not succeeded since.
type reported struct {
	handler *handlerFunc // nil for Fail
	err     error
}

type handlerFunc = func(context.Context, amqp.Delivery) error

// handlerContext is the context that a handler receives. Fail finds the process in it.
type handlerContext struct {
	context.Context

	process *process
}

type processKey struct{}

// Value also returns the process, under processKey.
func (c *handlerContext) Value(key any) any {
	if key == (processKey{}) {
		return c.process
	}
	return c.Context.Value(key)
}

// processOf returns the process that a context belongs to, or nil.
func processOf(ctx context.Context) *process {
	if ctx == nil {
		return nil
	}
	p, _ := ctx.Value(processKey{}).(*process)
	return p
}

func (p *process) fail(handler *handlerFunc, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !slices.ContainsFunc(p.failures, func(f reported) bool { return f.handler == handler }) {
		p.failures = append(p.failures, reported{handler, err})
	}
}

// succeed forgets that a handler failed: something between it and the process has retried it.
func (p *process) succeed(handler *handlerFunc) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.failures = slices.DeleteFunc(p.failures, func(f reported) bool { return f.handler == handler })
}

// errDidNotReturn is the error of a handler that panicked within another one.
var errDidNotReturn = errors.New("did not return")

// end ends the span and records its metrics. err is the handler's error; returned is false
// if the handler did not return but panicked. A message that is not traced has no process.
func (p *process) end(err error, returned bool) {
	if p == nil {
		return
	}
	p.mu.Lock()
	p.ended = true
	settled := p.settlement()
	if err == nil && len(p.failures) > 0 {
		err = p.failures[0].err
	}
	p.mu.Unlock()

	failure := ""
	switch {
	case !returned || err == errDidNotReturn: //nolint:errorlint // never wrapped
		failure = messaging.ErrorTypePanic
		messaging.FailDidNotReturn(p.span)
		p.consumer.process.Exception(p.ctx.Context, nil, "")
	case err != nil:
		failure = fail(p.ctx.Context, p.consumer.process, p.span, err)
	case settled.gaveUp():
		failure = errorTypeRejected
		messaging.Fail(p.span, failure, "message was given up: "+settled.String())
	}
	if p.span.IsRecording() {
		p.span.SetAttributes(settlementAttributes[settled]...)
		if p.batch {
			p.describeEnd(settled)
		}
	}
	point := p.point
	point.ErrorType = failure
	p.consumer.process.Done(p.ctx.Context, p.start, point, p.count)
	p.span.End()
}

// settlement returns how the messages were settled: the most severe of several settlements,
// so that a batch with one message given up does not appear as acked.
func (p *process) settlement() settlement {
	s := p.messages[0].settlement
	for i := range p.messages[1:] {
		s = max(s, p.messages[1+i].settlement)
	}
	return s
}

// note records a settlement that the host accepted, and returns links to its messages if it
// came too late for the span. A settlement that the host did not accept leaves the message
// unsettled, and the broker delivers it again. The first of several counts, as with the
// broker.
func (p *process) note(
	by *acknowledger, s settlement, tag uint64, multiple bool, err error,
) (links []trace.Link, late bool) {
	p.mu.Lock()
	n := int64(0)
	p.settledBy(by, tag, multiple, func(m *acknowledger) {
		if late = p.ended; late {
			links = m.appendLink(links)
		}
		if err == nil {
			m.settlement = s
			if !m.within() {
				n++
			}
		}
	})
	p.mu.Unlock()
	if n > 0 {
		point := p.point
		point.Labels[0] = messaging.Label{Key: settlementKey, Value: s.String()}
		p.consumer.process.Settled(p.ctx.Context, point, n)
	}
	return links, late
}

// unsettled returns links to the messages that a settlement is about to cover.
func (p *process) unsettled(by *acknowledger, tag uint64, multiple bool) []trace.Link {
	p.mu.Lock()
	defer p.mu.Unlock()
	var links []trace.Link
	p.settledBy(by, tag, multiple, func(m *acknowledger) { links = m.appendLink(links) })
	return links
}

// settledBy calls f with the unsettled messages that a settlement of tag, called on the
// delivery of by, covers. Tags restart when a channel is recovered, so a settlement without
// multiple covers by only.
func (p *process) settledBy(by *acknowledger, tag uint64, multiple bool, f func(*acknowledger)) {
	switch {
	case !multiple && tag == by.tag || !p.batch:
		if by.settlement == unsettled && covers(tag, multiple, by.tag) && !by.silent {
			f(by)
		}
	default:
		if p.order == nil {
			p.order = newOrder(p.messages)
		}
		p.order.settledBy(by, tag, multiple, f)
	}
}
