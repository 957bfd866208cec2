package amqptrace

import (
	"context"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"go.opentelemetry.io/otel/attribute"

	"github.com/mqtrace/mqtrace/carrier"
	"github.com/mqtrace/mqtrace/internal/amqphistory"
	"github.com/mqtrace/mqtrace/internal/messaging"
)

// An arrival is what is known about a delivery before it is processed. It is read once, for
// the user's functions, the span and the metrics of every kind of consumer.
type arrival struct {
	names
	decision

	origin     messaging.Origin
	attributes []attribute.KeyValue // the user's
	history    amqphistory.History
	size       int // of the body, in bytes
	age        time.Duration
	ageBy      messaging.Clock // Unknown if nothing needs the age
	first      bool            // the delivery has not been processed before
}

// names identify a message.
type names struct {
	exchange, routingKey     string
	messageID, correlationID string
	tag                      uint64
}

func namesOf(d *amqp.Delivery) names {
	return names{d.Exchange, d.RoutingKey, d.MessageId, d.CorrelationId, d.DeliveryTag}
}

// decision holds the results of the user's functions for a message.
type decision struct{ continueTrace, traced bool }

// inspect fills a with what is known about a delivery that is consumed in ctx.
func (c *Consumer) inspect(ctx context.Context, d *amqp.Delivery, a *arrival) {
	headers := carrier.Table(d.Headers)
	a.names = namesOf(d)
	a.size = len(d.Body)
	a.origin.Read(ctx, headers, c.instrumentation.Propagator)
	a.history = amqphistory.Read(d.Headers, c.queue, d.Redelivered)
	a.decision = decision{continueTrace: true, traced: true}
	decides := c.filter != nil || c.relation != nil || c.attributesOf != nil
	if decides || c.shared.QueueTime {
		a.age, a.ageBy = messaging.Age(headers.Get(messaging.SentAtHeader), d.Timestamp, time.Now())
	}
	if !decides {
		return
	}
	m := Message{
		Queue: c.queue, Exchange: a.exchange, RoutingKey: a.routingKey, Headers: d.Headers,
		MessageID: a.messageID, CorrelationID: a.correlationID, Type: d.Type, AppID: d.AppId, BodySize: a.size,
		NewTraceAsked: messaging.AsksForNewTrace(headers),
		Age:           a.age, AgeKnown: a.ageBy != messaging.Unknown, Attempt: a.history.Attempt,
	}
	if r, ok := d.Acknowledger.(received); ok && r.by == c {
		a.decision = r.decision // taken by Get
	} else {
		a.decision = decision{
			continueTrace: messaging.Relation(ScopeName, c.relation, m),
			traced:        messaging.Filter(ScopeName, c.filter, m),
		}
	}
	if a.traced {
		a.attributes = c.messageAttributes(m)
	}
}

// messageAttributes returns the attributes that the user's function has for a message.
func (c *config) messageAttributes(m Message) (attributes []attribute.KeyValue) {
	if c.attributesOf == nil {
		return nil
	}
	defer messaging.RecoverAttributes(ScopeName)
	return c.attributesOf(m)
}

// point returns the metric point of a process that began at a place.
func (c *Consumer) point(where *place) messaging.Point {
	return messaging.Point{Destination: c.destination, Server: where.server}
}

// measure records the metrics of a message that is about to be processed, once for each
// delivery.
func (c *Consumer) measure(ctx context.Context, a *arrival, point messaging.Point) {
	if !a.first {
		return
	}
	if !a.origin.Created.IsValid() {
		c.process.WithoutContext(ctx, point, 1)
	}
	if c.measuresQueueTime(a) {
		c.process.QueueTime(ctx, a.age.Seconds(), point)
	}
}

// measuresQueueTime reports whether the age of a message is reported as its queue time.
func (c *Consumer) measuresQueueTime(a *arrival) bool {
	return c.shared.QueueTime && a.ageBy.Measures(a.age)
}

// appendIDs appends the attributes of a message's identifiers.
func appendIDs(attributes []attribute.KeyValue, messageID, correlationID string) []attribute.KeyValue {
	if messageID != "" {
		attributes = append(attributes, messaging.MessageID(messageID))
	}
	if correlationID != "" {
		attributes = append(attributes, messaging.ConversationID(correlationID))
	}
	return attributes
}

// appendDestination appends the attributes of where a message came from.
func (c *Consumer) appendDestination(attributes []attribute.KeyValue, n *names) []attribute.KeyValue {
	name := destinationName(n.exchange, n.routingKey, c.queue)
	return appendDestination(attributes, c.destination, name, n.routingKey)
}
