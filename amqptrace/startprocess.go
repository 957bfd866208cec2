package amqptrace

import (
	"context"

	amqp "github.com/rabbitmq/amqp091-go"
	"go.opentelemetry.io/otel/trace"

	"github.com/mqtrace/mqtrace/internal/messaging"
)

// StartProcess starts the CONSUMER span of a message that is not processed in a handler
// call, or that does not come as an amqp.Delivery: in that case, fill d with what is known
// about the message. Parent and links are as with [Consumer.Handler], and the methods of d
// report to the span how they settled the message.
//
//	ctx, p := cons.StartProcess(ctx, &d)
//	defer p.End()
//	p.Settled(amqptrace.Ack) // if something other than d settles the message
//	return p.Result(handle(ctx, d))
func (c *Consumer) StartProcess(ctx context.Context, d *amqp.Delivery) (context.Context, *Processing) {
	if d == nil {
		d = new(amqp.Delivery)
	}
	if outer := underWay(ctx, d); outer != nil {
		return outer.context(ctx), &Processing{process: outer, within: true}
	}
	ctx, at := messaging.StartTime(ctx)
	ctx, p := c.start(ctx, d, at)
	return ctx, &Processing{process: p}
}

// Processing is the processing of a message, started by [Consumer.StartProcess]. Its
// methods work on nil and for a message that a filter excludes. Settled may be called from
// any goroutine, the others from one at a time.
type Processing struct {
	process  *process // nil if the message is not traced
	within   bool     // the span belongs to an enclosing process
	err      error
	returned bool
	ended    bool
}

// Settlement is how a message was settled.
type Settlement uint8

// The settlements. Requeue is a nack or reject after which the broker delivers the message
// again; after Nack and Reject it is dead-lettered or dropped, which makes the span an error.
const (
	Ack     = Settlement(acked)
	Requeue = Settlement(nackedRequeue)
	Nack    = Settlement(nackedForGood)
	Reject  = Settlement(rejectedForGood)
)

// Settled records that the message was settled, or is about to be, by other means than the
// methods of the delivery. The first settlement counts, and values other than the constants
// are ignored. A settlement after End gets a span of its own.
func (p *Processing) Settled(s Settlement) {
	if p == nil || p.process == nil || p.process.batch {
		return
	}
	switch s {
	case Ack, Requeue, Nack, Reject:
		m := &p.process.messages[0]
		m.settled(settlement(s), m.tag, false, nil)
	}
}

// Result records the error of the processing and returns it.
func (p *Processing) Result(err error) error {
	if p != nil {
		p.err, p.returned = err, true
	}
	return err
}

// End ends the span. If there was no result, the span records a panic. Only the first call
// counts.
func (p *Processing) End() {
	if p == nil || p.process == nil || p.ended {
		return
	}
	p.ended = true
	failed := p.err != nil || !p.returned
	switch {
	case !p.within:
		p.process.end(p.err, p.returned)
		if failed {
			p.process.failed()
		}
	case !p.returned:
		p.process.fail(nil, errDidNotReturn)
	case failed:
		p.process.fail(nil, p.err)
	}
}

// context returns ctx, or the context of the process if ctx belongs to none.
func (p *process) context(ctx context.Context) context.Context {
	if processOf(ctx) == p {
		return ctx
	}
	if ctx == nil {
		ctx = context.Background()
	}
	return &handlerContext{trace.ContextWithSpan(ctx, p.span), p}
}
