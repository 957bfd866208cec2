package amqptrace

import (
	"context"
	"slices"

	amqp "github.com/rabbitmq/amqp091-go"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/mqtrace/mqtrace/internal/messaging"
)

// BatchHandler returns handle with one CONSUMER span around each call, for messages
// that are collected first and then processed together. The span has a link to the
// creation context of each message, with what is that message's own as the link's
// attributes, and what all messages have in common as its own. Its parent is the
// span of the context given to the returned function, if there is one, and never a
// message: they may be of many traces. For the same reason the context that handle
// receives has no message's baggage. Where [WithRelation] says of every message that
// its trace is not to be continued, the span is a root and the caller's span is linked.
//
// The SDK keeps 128 links of a span unless it is told otherwise (SpanLimits,
// OTEL_SPAN_LINK_COUNT_LIMIT): of a larger batch the first ones are dropped.
//
// The deliveries that handle receives are copies that report to the span how they
// were settled, ack(multiple) included. Where they were settled in different ways,
// the span tells the one that says most: reject, nack, requeue, none, ack. Errors and
// panics are handled as by [Consumer.Handler]. There is no span for an empty batch.
func (c *Consumer) BatchHandler(
	handle func(ctx context.Context, ds []amqp.Delivery) error,
) func(ctx context.Context, ds []amqp.Delivery) error {
	return func(ctx context.Context, ds []amqp.Delivery) (err error) {
		ctx, ds, p := c.startBatch(ctx, ds)
		returned := false
		defer func() { p.end(err, returned) }()
		err = handle(ctx, ds)
		returned = true
		return err
	}
}

func (c *Consumer) startBatch(
	ctx context.Context, ds []amqp.Delivery,
) (context.Context, []amqp.Delivery, *process) {
	if ctx == nil {
		ctx = context.Background()
	}
	p := &process{consumer: c, start: c.process.Now(ctx)}
	copies := slices.Clone(ds)
	p.messages = make([]acknowledger, 0, len(ds)) // never grown: deliveries have pointers into it
	arrivals := make([]arrival, 0, len(ds))
	continueTrace := false // unless a message's trace is to be continued
	for i := range copies {
		d := &copies[i]
		var a arrival
		c.inspect(ctx, d, &a)
		if !a.traced {
			// Settling it may settle others.
			(&acknowledger{silent: true}).wrap(p, d, &a)
			continue
		}
		continueTrace = continueTrace || a.continueTrace
		p.messages = append(p.messages, acknowledger{})
		p.count += p.messages[len(p.messages)-1].wrap(p, d, &a)
		arrivals = append(arrivals, a)
	}
	if len(arrivals) == 0 {
		return ctx, copies, nil
	}
	shared, links := c.describeBatch(arrivals)
	var origin messaging.Origin
	origin.ReadBatch(ctx)
	ctx, p.span = c.process.StartConsumer(&origin, continueTrace,
		messaging.SpanStart{Name: c.processSpanName, Shared: shared, Links: links})
	p.ctx = handlerContext{ctx, p}
	for i := range arrivals {
		c.measure(ctx, &arrivals[i])
	}
	return &p.ctx, copies, p
}

// describeBatch divides what is known of the messages: what is equal for all of
// them goes on the span and the rest on the links.
// https://opentelemetry.io/docs/specs/semconv/messaging/messaging-spans/#batch-receiving
func (c *Consumer) describeBatch(arrivals []arrival) (shared []attribute.KeyValue, links []trace.Link) {
	each := make([][]attribute.KeyValue, len(arrivals))
	for i := range arrivals {
		each[i] = c.comparable(&arrivals[i])
	}
	equal := slices.DeleteFunc(slices.Clone(each[0]), func(kv attribute.KeyValue) bool {
		return slices.ContainsFunc(each, func(other []attribute.KeyValue) bool { return !slices.Contains(other, kv) })
	})
	for i := range arrivals {
		a := &arrivals[i]
		if !a.origin.Created.IsValid() {
			continue
		}
		own := slices.DeleteFunc(each[i], func(kv attribute.KeyValue) bool { return slices.Contains(equal, kv) })
		own = appendIDs(append(own, deliveryTag(a.tag)), a.messageID, "")
		if c.measuresQueueTime(a) {
			own = append(own, messaging.QueueTimeAttribute(a.age.Seconds()))
		}
		links = append(links, trace.Link{SpanContext: a.origin.Created, Attributes: own})
	}
	shared = append(slices.Clone(c.process.Attributes), messaging.BatchMessageCount(len(arrivals)))
	return append(shared, equal...), links
}

// comparable returns the attributes that several messages may have in common.
func (c *Consumer) comparable(a *arrival) []attribute.KeyValue {
	attributes := append(c.appendDestination(nil, &a.names), messaging.Attempt(a.history.Attempt))
	attributes = appendIDs(attributes, "", a.correlationID)
	if c.bodySize {
		attributes = append(attributes, messaging.BodySize(a.size))
	}
	return append(attributes, deadLetterAttributes(&a.history)...)
}
