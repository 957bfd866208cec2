package amqptrace

import (
	"context"
	"slices"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/mqtrace/mqtrace/internal/amqphistory"
	"github.com/mqtrace/mqtrace/internal/messaging"
)

// BatchHandler returns handle with one CONSUMER span around each call, for messages that
// are collected first and then processed together. The span has a link to the creation
// context of each message. Attributes that all messages have in common are on the span, the
// others on the links. Its parent is the span in the context given to the returned
// function, if there is one, and never a message, since the messages may belong to many
// traces. For the same reason the context that handle receives has no message's baggage. If
// [WithRelation] starts a new trace for every message, the span is a root and the caller's
// span is linked.
//
// If messages differ in an attribute that a sampler may use, the span has the most severe
// value: the longest queue time, the highest attempt, the most dead letters, the largest
// body. Messages without a context have no link; mqtrace.batch.without_context counts them.
//
// The SDK keeps 128 links per span by default (SpanLimits, OTEL_SPAN_LINK_COUNT_LIMIT). In
// a larger batch, the links of dead letters and redelivered messages are kept before
// others, and mqtrace.batch.unlinked counts the dropped ones.
//
// The deliveries that handle receives are copies that report to the span how they were
// settled, ack(multiple) included. If they were settled in different ways, the span has the
// most severe settlement, in the order reject, nack, requeue, none, ack, and each message
// that was given up gets another link with its settlement. Errors and panics are handled as
// by [Consumer.Handler]. There is no span for an empty batch.
func (c *Consumer) BatchHandler(
	handle func(ctx context.Context, ds []amqp.Delivery) error,
) func(ctx context.Context, ds []amqp.Delivery) error {
	return func(ctx context.Context, ds []amqp.Delivery) (err error) {
		ctx, ds, p := c.startBatch(ctx, ds)
		returned := false
		defer func() {
			p.end(err, returned)
			if p != nil && (err != nil || !returned) {
				p.failed()
			}
		}()
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
	where := c.place()
	p := &process{consumer: c, start: c.process.Now(ctx), point: c.point(where), batch: true}
	copies := slices.Clone(ds)
	p.messages = make([]acknowledger, 0, len(ds)) // must not grow: deliveries point into it
	arrivals := make([]arrival, 0, len(ds))
	continueTrace := false // true if any message's trace is continued
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
		messaging.SpanStart{Name: c.processSpanName, Shared: shared, Links: links}, where.span...)
	p.ctx = handlerContext{ctx, p}
	for i := range arrivals {
		c.measure(ctx, &arrivals[i], p.point)
	}
	return &p.ctx, copies, p
}

// describeBatch divides the attributes of the messages: those that are equal for all go on
// the span, the rest on the links, and the most severe of the rest on the span as well.
// https://opentelemetry.io/docs/specs/semconv/messaging/messaging-spans/#batch-receiving
func (c *Consumer) describeBatch(arrivals []arrival) (shared []attribute.KeyValue, links []trace.Link) {
	each := make([][]attribute.KeyValue, len(arrivals))
	for i := range arrivals {
		each[i] = c.comparable(&arrivals[i])
	}
	equal := slices.DeleteFunc(slices.Clone(each[0]), func(kv attribute.KeyValue) bool {
		return slices.ContainsFunc(each, func(other []attribute.KeyValue) bool { return !slices.Contains(other, kv) })
	})
	without := 0
	var severe [3][]trace.Link // links of first deliveries, of redeliveries, of dead letters
	for i := range arrivals {
		a := &arrivals[i]
		if !a.origin.Created.IsValid() {
			without++
			continue
		}
		own := slices.DeleteFunc(each[i], func(kv attribute.KeyValue) bool { return slices.Contains(equal, kv) })
		own = appendIDs(appendTag(own, a.tag), a.messageID, "")
		severity := 0
		switch {
		case a.history.Count > 0:
			severity = 2
		case a.history.Attempt > 1:
			severity = 1
		}
		severe[severity] = append(severe[severity], trace.Link{SpanContext: a.origin.Created, Attributes: own})
	}
	// If there are too many links, the SDK drops the first ones.
	links = slices.Concat(severe[:]...)
	shared = append(slices.Clone(c.process.Attributes), messaging.BatchMessageCount(len(arrivals)))
	if without > 0 {
		shared = append(shared, messaging.BatchWithoutContext(without))
	}
	shared = append(shared, equal...)
	for _, kv := range c.mostSevere(arrivals) {
		if !slices.ContainsFunc(equal, func(other attribute.KeyValue) bool { return other.Key == kv.Key }) {
			shared = append(shared, kv)
		}
	}
	return shared, links
}

// comparable returns the attributes that several messages may have in common.
func (c *Consumer) comparable(a *arrival) []attribute.KeyValue {
	attributes := appendIDs(c.appendDestination(nil, &a.names), "", a.correlationID)
	attributes = append(attributes, a.attributes...)
	return append(attributes, c.severity(a.history.Attempt, a.size, c.measuresQueueTime(a), a.age, &a.history)...)
}

// mostSevere returns the attributes that samplers and alerts use, each with the most severe
// value of all messages.
func (c *Consumer) mostSevere(arrivals []arrival) []attribute.KeyValue {
	most := arrivals[0]
	measured := false
	for i := range arrivals {
		a := &arrivals[i]
		if a.history.Count > most.history.Count {
			attempt := most.history.Attempt
			most.history = a.history
			most.history.Attempt = attempt
		}
		most.history.Attempt = max(most.history.Attempt, a.history.Attempt)
		most.size = max(most.size, a.size)
		if c.measuresQueueTime(a) && (!measured || a.age > most.age) {
			measured, most.age = true, a.age
		}
	}
	return c.severity(most.history.Attempt, most.size, measured, most.age, &most.history)
}

func (c *Consumer) severity(
	attempt, size int, measured bool, age time.Duration, h *amqphistory.History,
) []attribute.KeyValue {
	attributes := []attribute.KeyValue{messaging.Attempt(attempt)}
	if c.bodySize {
		attributes = append(attributes, messaging.BodySize(size))
	}
	if measured {
		attributes = append(attributes, messaging.QueueTimeAttribute(age.Seconds()))
	}
	return append(attributes, deadLetterAttributes(h)...)
}

// maxGivenUp bounds the links that a span gets at its end. It is also how many links the SDK
// keeps by default.
const maxGivenUp = 128

// describeEnd adds what is known about a batch once its handler has returned. Only
// describeEnd's caller still writes to the span.
func (p *process) describeEnd(settled settlement) {
	p.mu.Lock()
	var links []trace.Link
	if settled.gaveUp() && slices.ContainsFunc(p.messages, func(m acknowledger) bool { return m.settlement != settled }) {
		for i := range p.messages {
			if m := &p.messages[i]; m.settlement.gaveUp() && m.created.IsValid() && len(links) < maxGivenUp {
				own := appendIDs(appendTag([]attribute.KeyValue{m.settlement.attribute()}, m.tag), m.messageID, "")
				links = append(links, trace.Link{SpanContext: m.created, Attributes: own})
			}
		}
	}
	p.mu.Unlock()
	for _, l := range links {
		p.span.AddLink(l)
	}
	// The SDK's spans report how many links they dropped.
	if s, ok := p.span.(interface{ DroppedLinks() int }); ok && s.DroppedLinks() > 0 {
		p.span.SetAttributes(messaging.BatchUnlinked(s.DroppedLinks()))
	}
}
