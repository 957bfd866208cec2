package amqptrace

import (
	"context"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"go.opentelemetry.io/otel/trace"

	"github.com/mqtrace/mqtrace/carrier"
	"github.com/mqtrace/mqtrace/internal/amqphistory"
	"github.com/mqtrace/mqtrace/internal/messaging"
)

// Getter is what [Consumer.Get] needs of an *amqp.Channel.
type Getter interface {
	Get(queue string, autoAck bool) (amqp.Delivery, bool, error)
}

var _ Getter = (*amqp.Channel)(nil)

// received marks a delivery that Get has counted as consumed.
type received struct{ amqp.Acknowledger }

// Get takes one message from the consumer's queue by the channel's method of that
// name, with a CLIENT span "get" for the time that it took. There is no span where the
// queue was empty, unless [WithEmptyReceives] asks for it. The error is the channel's
// own.
//
// To process the message under a span, give it to a function that [Consumer.Handler]
// returned.
func (c *Consumer) Get(ctx context.Context, ch Getter, autoAck bool) (d amqp.Delivery, ok bool, err error) {
	start := time.Now()
	d, ok, err = ch.Get(c.queue, autoAck)
	if !ok && err == nil && !c.emptyReceives {
		return d, ok, err
	}
	// The span is made after the answer, since a link to the message has to be given
	// at its start.
	headers := carrier.Table(d.Headers)
	h := amqphistory.Read(d.Headers, c.queue, d.Redelivered)
	continueTrace, traced := c.decide(&d, h.Attempt)
	if !traced {
		return d, ok, err
	}
	attributes := c.get.Attributes(6)
	if ok {
		attributes = c.appendDelivery(attributes, &d)
	} else {
		attributes = c.appendDestination(attributes, &d)
	}
	ctx, span, _ := c.get.StartConsumer(
		ctx, c.get.SpanName(c.destination.Name), headers, continueTrace, attributes, new(messaging.Room), trace.WithTimestamp(start))
	failure, count := "", int64(0)
	if err != nil {
		failure = fail(span, err)
	}
	if ok {
		count = 1
		if d.Acknowledger != nil { // else settling it is the host's own error
			d.Acknowledger = received{d.Acknowledger}
		}
	}
	c.get.Done(ctx, start, c.destination, failure, count)
	span.End()
	return d, ok, err
}
