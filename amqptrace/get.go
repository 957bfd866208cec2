package amqptrace

import (
	"context"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/mqtrace/mqtrace/internal/messaging"
)

// Getter is the part of an *amqp.Channel that [Consumer.Get] needs.
type Getter interface {
	Get(queue string, autoAck bool) (amqp.Delivery, bool, error)
}

var _ Getter = (*amqp.Channel)(nil)

// received marks a delivery that Get has counted as consumed and filtered.
type received struct {
	amqp.Acknowledger
	decision

	by *Consumer
}

// Get calls the channel's Get for one message of the consumer's queue, with a CLIENT span
// "get" around the call. There is no span if the queue was empty, unless
// [WithEmptyReceives] is used. The error is the channel's own; if it is amqp.ErrClosed
// because the broker closed the channel, errors.As finds the reason as an *amqp.Error.
//
// To process the message under a span, give it to a function that [Consumer.Handler]
// returned.
func (c *Consumer) Get(ctx context.Context, ch Getter, autoAck bool) (d amqp.Delivery, ok bool, err error) {
	start := time.Now()
	host, _ := ch.(*amqp.Channel)
	if host != nil {
		c.watch(host)
	}
	if d, ok, err = ch.Get(c.queue, autoAck); err != nil && host != nil {
		err = stateOf(host).explain(err)
	}
	if !ok && err == nil && !c.emptyReceives {
		return d, ok, err
	}
	// The span is created after the answer, since the link to the message is needed at its
	// start.
	var a arrival
	c.inspect(ctx, &d, &a)
	if ok && d.Acknowledger != nil { // without one, settling returns the host's error
		d.Acknowledger = received{d.Acknowledger, a.decision, c}
	}
	if !a.traced {
		return d, ok, err
	}
	where := c.place()
	own := append(append(c.appendDestination(nil, &a.names), where.span...), a.attributes...)
	count := int64(0)
	if ok {
		count = 1
		own = appendIDs(appendTag(own, a.tag), a.messageID, a.correlationID)
		if c.bodySize {
			own = append(own, messaging.BodySize(a.size))
		}
	}
	ctx, span := c.get.StartConsumer(&a.origin, a.continueTrace, messaging.SpanStart{
		Name: c.get.SpanName(c.destination.Name), Shared: c.get.Attributes, At: start,
	}, own...)
	point, failure := c.point(where), ""
	if err != nil {
		failure = fail(ctx, c.get, span, err)
	}
	point.ErrorType = failure
	c.get.Done(ctx, start, point, count)
	span.End()
	return d, ok, err
}
