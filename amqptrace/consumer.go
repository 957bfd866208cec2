package amqptrace

import (
	"context"
	"slices"
	"sync/atomic"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"go.opentelemetry.io/otel/attribute"

	"github.com/mqtrace/mqtrace/internal/messaging"
)

// Consumer starts a span for each message of a queue that is processed. It is safe
// for concurrent use: one serves all the workers on a queue. Create one with
// [NewConsumer].
type Consumer struct {
	config

	queue           string
	destination     messaging.Destination
	instrumentation *messaging.Instrumentation
	process         *messaging.Operation
	processSpanName string
	routes          messaging.Cache[[2]string, []attribute.KeyValue] // by exchange and routing key
	get             *messaging.Operation
	settle          settleOperations
	retries         retries[deliveryKey]
	watched         atomic.Pointer[watchedChannel]
}

// NewConsumer returns a consumer for the messages of a queue. The name of the queue is
// needed because a delivery does not contain it.
func NewConsumer(queue string, opts ...Option) *Consumer {
	c := newConfig(opts)
	i := c.instrumentation()
	d := consumeDestination(queue)
	process := i.Operation("process", messaging.Process)
	return &Consumer{
		config:          c,
		queue:           queue,
		destination:     d,
		instrumentation: i,
		process:         process,
		processSpanName: process.SpanName(d.Name),
		get:             i.Operation("get", messaging.Receive),
		settle:          newSettleOperations(i),
	}
}

// Handler returns handle with a CONSUMER span around each call, for worker pools
// and for other loops. The context that handle receives has the span and the
// message's baggage; the delivery it receives reports to the span how it was
// settled.
//
// The span's parent is the message's creation context, and that is linked too. If the
// context given to the returned function has a span already, that one is the parent. See
// the package documentation for the pitfall in this.
//
// The error of handle is recorded on the span and returned unchanged. Settling the message
// is up to handle. A panic in handle ends the span and propagates.
//
// A delivery has one process span: within a loop over [Consumer.Deliveries] or another
// handler, handle runs under the existing span, which records its error unless a later call
// of the returned function for the same delivery succeeds. Elsewhere, a delivery that is
// passed to the returned function again after handle has failed gets another span, but is
// counted as consumed once.
func (c *Consumer) Handler(
	handle func(ctx context.Context, d amqp.Delivery) error,
) func(ctx context.Context, d amqp.Delivery) error {
	return func(ctx context.Context, d amqp.Delivery) (err error) {
		if outer := underWay(ctx, &d); outer != nil {
			return outer.within(ctx, d, &handle)
		}
		ctx, p := c.start(ctx, &d, time.Time{})
		returned := false
		defer func() {
			p.end(err, returned)
			if p != nil && (err != nil || !returned) {
				p.failed()
			}
		}()
		err = handle(ctx, d)
		returned = true
		return err
	}
}

// start starts the span of processing d, and wraps the acknowledger of d. The process is
// nil if the message is not traced. The span starts at the given time, or now if that is
// zero.
func (c *Consumer) start(ctx context.Context, d *amqp.Delivery, at time.Time) (context.Context, *process) {
	var a arrival
	c.inspect(ctx, d, &a)
	if !a.traced {
		if r, ok := d.Acknowledger.(received); ok {
			d.Acknowledger = r.Acknowledger
		}
		return a.origin.Context(a.continueTrace), nil
	}
	where := c.place()
	p := &process{consumer: c, start: c.process.Now(ctx), point: c.point(where)}
	if !at.IsZero() && !p.start.IsZero() {
		p.start = at
	}
	p.count = p.single[0].wrap(p, d, &a)
	p.messages = p.single[:]

	var room [5]attribute.KeyValue
	own := append(appendTag(room[:0], a.tag), messaging.Attempt(a.history.Attempt))
	own = appendIDs(own, a.messageID, a.correlationID)
	if c.bodySize {
		own = append(own, messaging.BodySize(a.size))
	}
	own = append(append(own, where.span...), a.attributes...)
	if c.measuresQueueTime(&a) {
		own = append(own, messaging.QueueTimeAttribute(a.age.Seconds()))
	}
	if a.history.Count > 0 {
		own = append(own, deadLetterAttributes(&a.history)...)
	}
	started := messaging.SpanStart{Name: c.processSpanName, Shared: c.route(&a.names), At: at}
	ctx, p.span = c.process.StartConsumer(&a.origin, a.continueTrace, started, own...)
	p.ctx = handlerContext{ctx, p}
	c.measure(ctx, &a, p.point)
	return &p.ctx, p
}

// route returns the attributes common to the process spans of all messages with one
// exchange and routing key.
func (c *Consumer) route(n *names) []attribute.KeyValue {
	return c.routes.Get([2]string{n.exchange, n.routingKey}, func() []attribute.KeyValue {
		return c.appendDestination(slices.Clone(c.process.Attributes), n)
	})
}
