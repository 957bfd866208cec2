package amqptrace

import (
	"context"
	"slices"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/mqtrace/mqtrace/carrier"
	"github.com/mqtrace/mqtrace/internal/amqphistory"
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
	common          int // attributes of all process spans, before those of their delivery
	routes          messaging.Routes
	get             *messaging.Operation
	settle          settleOperations
}

// NewConsumer returns a consumer for the messages of a queue. A delivery does not
// tell which queue it came from, so the name has to be given here.
func NewConsumer(queue string, opts ...Option) *Consumer {
	c := newConfig(opts)
	i := c.instrumentation()
	d := spanDestination(queue)
	process := i.Operation("process", messaging.Process)
	return &Consumer{
		config:          c,
		queue:           queue,
		destination:     d,
		instrumentation: i,
		process:         process,
		processSpanName: process.SpanName(d.Name),
		common:          len(process.Attributes(0)),
		get:             i.Operation("get", messaging.Receive),
		settle:          newSettleOperations(i),
	}
}

// spanDestination is the part of a queue's name that a span's name may have.
func spanDestination(queue string) messaging.Destination {
	if template := destinationTemplate(queue); template != "" {
		return messaging.Destination{Name: template, Template: true}
	}
	return messaging.Destination{Name: queue}
}

// Handler returns handle with a CONSUMER span around each call, for worker pools
// and for loops of one's own. The context that handle receives has the span and the
// message's baggage; the delivery it receives reports to the span how it was
// settled.
//
// The span's parent is the message's creation context, and that is linked too. If
// the context given to the returned function has a span already, that one is the
// parent. See the package documentation for the trap in this.
//
// The error of handle is recorded on the span and returned unchanged. Settling the
// message stays with handle. A panic in handle ends the span and goes on up.
func (c *Consumer) Handler(
	handle func(ctx context.Context, d amqp.Delivery) error,
) func(ctx context.Context, d amqp.Delivery) error {
	return func(ctx context.Context, d amqp.Delivery) (err error) {
		ctx, p := c.start(ctx, &d)
		returned := false
		defer func() { p.end(err, returned) }()
		err = handle(ctx, d)
		returned = true
		return err
	}
}

// start starts the span of processing d and puts itself between d and its
// acknowledger. The process is nil where the message is not traced.
func (c *Consumer) start(ctx context.Context, d *amqp.Delivery) (context.Context, *process) {
	h := amqphistory.Read(d.Headers, c.queue, d.Redelivered)
	continueTrace, traced := c.decide(d, h.Attempt)
	if !traced {
		return c.instrumentation.Propagate(ctx, carrier.Table(d.Headers), continueTrace), nil
	}
	p := &process{consumer: c, start: c.process.Now(ctx)}
	p.headers.Map = d.Headers
	p.members = p.single[:]
	m := &p.members[0]
	p.count = m.take(p, d)
	r := c.route(d)
	room := 2 + messageRoom(d.MessageId, d.CorrelationId, c.bodySize) // two: delivery tag, attempt
	attributes := append(r.Attributes(room), deliveryTag(d.DeliveryTag))
	attributes = appendMessage(attributes, d.MessageId, d.CorrelationId)
	m.attributes = slices.Clip(attributes[c.common:])
	attributes = append(attributes, messaging.Attempt(h.Attempt))
	if c.bodySize {
		attributes = append(attributes, messaging.BodySize(len(d.Body)))
	}
	p.Context, p.span, m.created = c.process.StartConsumer(
		ctx, r.SpanName, &p.headers, continueTrace, attributes, &p.room)
	if h.Count > 0 && p.span.IsRecording() {
		p.span.SetAttributes(deadLetterAttributes(&h)...)
	}
	if age, known := c.arrived(p, d, m.created); known {
		p.span.SetAttributes(messaging.QueueTimeAttribute(age.Seconds()))
	}
	return p, p
}

// route is what the process spans of all messages with one exchange and routing key have.
func (c *Consumer) route(d *amqp.Delivery) *messaging.Route {
	if r := c.routes.Find(d.Exchange, d.RoutingKey); r != nil {
		return r
	}
	return c.routes.Add(d.Exchange, d.RoutingKey, c.processSpanName,
		c.appendDestination(c.process.Attributes(3), d))
}

// decide asks the user's functions about a message, if there are any.
func (c *Consumer) decide(d *amqp.Delivery, attempt int) (continueTrace, traced bool) {
	if c.filter == nil && c.relation == nil {
		return true, true
	}
	m := Message{
		Queue: c.queue, Exchange: d.Exchange, RoutingKey: d.RoutingKey, Headers: d.Headers, Attempt: attempt,
	}
	m.Age, m.AgeKnown = age(d)
	return c.relation == nil || c.relation(m), c.filter == nil || c.filter(m)
}

func age(d *amqp.Delivery) (time.Duration, bool) {
	return messaging.Age(carrier.Table(d.Headers).Get(messaging.SentAtHeader), d.Timestamp, time.Now())
}

// arrived measures what is known of a message before it is processed, and returns
// its time in the queue where that is asked for and known.
func (c *Consumer) arrived(
	p *process, d *amqp.Delivery, created *trace.SpanContext,
) (queueTime time.Duration, known bool) {
	if created == nil {
		c.process.WithoutContext(p.Context, c.destination, 1)
	}
	if !c.shared.QueueTime {
		return 0, false
	}
	if queueTime, known = age(d); known {
		c.process.QueueTime(p.Context, queueTime.Seconds(), c.destination)
	}
	return queueTime, known
}

// appendDelivery appends what every span of a delivery has.
func (c *Consumer) appendDelivery(attributes []attribute.KeyValue, d *amqp.Delivery) []attribute.KeyValue {
	attributes = c.appendDestination(attributes, d)
	attributes = append(attributes, deliveryTag(d.DeliveryTag))
	return appendMessage(attributes, d.MessageId, d.CorrelationId)
}

func (c *Consumer) appendDestination(attributes []attribute.KeyValue, d *amqp.Delivery) []attribute.KeyValue {
	attributes = append(attributes,
		messaging.DestinationName(destinationName(d.Exchange, d.RoutingKey, c.queue)))
	if c.destination.Template {
		attributes = append(attributes, messaging.DestinationTemplate(c.destination.Name))
	}
	if d.RoutingKey != "" {
		attributes = append(attributes, routingKey(d.RoutingKey))
	}
	return attributes
}
