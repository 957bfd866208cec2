package amqptrace

import (
	"context"

	amqp "github.com/rabbitmq/amqp091-go"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/mqtrace/mqtrace/carrier"
	"github.com/mqtrace/mqtrace/internal/amqphistory"
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
	copies := make([]amqp.Delivery, len(ds))
	copy(copies, ds)
	p.members = make([]member, 0, len(ds)) // never grown: deliveries hold pointers to members
	traced := make([]*amqp.Delivery, 0, len(ds))
	newTrace := true // unless a message's trace is to be continued
	for i := range copies {
		d := &copies[i]
		h := amqphistory.Read(d.Headers, c.queue, d.Redelivered)
		continueTrace, ok := c.decide(d, h.Attempt)
		if !ok {
			// Settling it may settle others.
			(&member{silent: true}).take(p, d)
			continue
		}
		newTrace = newTrace && !continueTrace
		p.members = append(p.members, member{})
		m := &p.members[len(p.members)-1]
		p.count += m.take(p, d)
		m.attempt = h.Attempt
		m.attributes = c.appendDelivery(nil, d)
		m.created = c.instrumentation.Created(ctx, carrier.Table(d.Headers))
		traced = append(traced, d)
	}
	if len(traced) == 0 {
		return ctx, copies, nil
	}
	common, links := c.batchAttributes(p.members, traced)
	var opts []trace.SpanStartOption
	if newTrace {
		opts = append(opts, trace.WithNewRoot())
		if ambient := trace.SpanContextFromContext(ctx); ambient.IsValid() {
			links = append(links, trace.Link{SpanContext: ambient})
		}
		ctx = trace.ContextWithSpan(ctx, nil) // for tracers that know nothing of roots
	}
	p.Context, p.span = c.process.Start(ctx, c.processSpanName, common, links, opts...)
	for i, d := range traced {
		c.arrived(p, d, p.members[i].created)
	}
	return p, copies, p
}

// batchAttributes divides what is known of the messages: what is equal for all of
// them goes on the span and the rest on the links.
// https://opentelemetry.io/docs/specs/semconv/messaging/messaging-spans/#batch-receiving
func (c *Consumer) batchAttributes(members []member, ds []*amqp.Delivery) ([]attribute.KeyValue, []trace.Link) {
	span := append(c.process.Attributes(5), messaging.BatchMessageCount(len(ds)))
	if c.destination.Template {
		span = append(span, messaging.DestinationTemplate(c.destination.Name))
	}
	first, same := ds[0], compare(members, ds)
	if same.name {
		span = append(span, messaging.DestinationName(destinationName(first.Exchange, first.RoutingKey, c.queue)))
	}
	if same.key && first.RoutingKey != "" {
		span = append(span, routingKey(first.RoutingKey))
	}
	if same.conversation {
		span = appendMessage(span, "", first.CorrelationId)
	}
	if same.attempt {
		span = append(span, messaging.Attempt(members[0].attempt))
	}
	var links []trace.Link
	for i, d := range ds {
		if m := &members[i]; m.created != nil {
			links = append(links, trace.Link{SpanContext: *m.created, Attributes: c.linkAttributes(m, d, same)})
		}
	}
	return span, links
}

// similarity is what all messages of a batch have in common.
type similarity struct{ name, key, conversation, attempt bool }

func compare(members []member, ds []*amqp.Delivery) similarity {
	first, same := ds[0], similarity{true, true, true, true}
	for i, d := range ds[1:] {
		same.name = same.name && d.Exchange == first.Exchange && d.RoutingKey == first.RoutingKey
		same.key = same.key && d.RoutingKey == first.RoutingKey
		same.conversation = same.conversation && d.CorrelationId == first.CorrelationId
		same.attempt = same.attempt && members[1+i].attempt == members[0].attempt
	}
	return same
}

// linkAttributes are what a message does not have in common with all of its batch.
func (c *Consumer) linkAttributes(m *member, d *amqp.Delivery, same similarity) []attribute.KeyValue {
	own := make([]attribute.KeyValue, 0, 7)
	if !same.name {
		own = append(own, messaging.DestinationName(destinationName(d.Exchange, d.RoutingKey, c.queue)))
	}
	if !same.key && d.RoutingKey != "" {
		own = append(own, routingKey(d.RoutingKey))
	}
	own = append(own, deliveryTag(d.DeliveryTag))
	if !same.attempt {
		own = append(own, messaging.Attempt(m.attempt))
	}
	if c.shared.QueueTime {
		if a, known := age(d); known {
			own = append(own, messaging.QueueTimeAttribute(a.Seconds()))
		}
	}
	conversation := d.CorrelationId
	if same.conversation {
		conversation = ""
	}
	return appendMessage(own, d.MessageId, conversation)
}
