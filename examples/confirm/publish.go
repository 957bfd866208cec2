package main

import (
	"context"
	"errors"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/mqtrace/mqtrace/amqptrace"
)

// verdict is what a producer can do after a publish.
type verdict string

const (
	taken         verdict = "taken"
	misconfigured verdict = "no queue is bound: trying again does not help"
	later         verdict = "refused: the message is not there, try again later"
	unknown       verdict = "unknown: it may be there, and again would be twice"
)

// publish publishes one message and waits for the broker's word. The span covers the
// wait, so that a slow broker is seen in the trace.
func publish(ctx context.Context, pub *amqptrace.Publisher, exchange, key string, body []byte) (verdict, error) {
	// A broker with a memory or a disk alarm does not answer at all.
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()

	// Mandatory: an exchange acks what it can give to no queue, unless it is told to
	// return it.
	err := pub.PublishConfirmed(ctx, exchange, key, true, false, amqp.Publishing{
		DeliveryMode: amqp.Persistent,
		Body:         body,
	})
	switch {
	case err == nil:
		return taken, nil
	case errors.Is(err, amqptrace.ErrReturned):
		return misconfigured, err // an *amqptrace.ReturnedError, with the broker's reason
	case errors.Is(err, amqptrace.ErrNacked):
		return later, err
	default: // amqptrace.ErrClosed, ErrNotConfirming, the context's error, or the channel's own
		return unknown, err
	}
}

// publishAll has all messages under way before it waits for the first confirmation. A
// round trip for each would take a thousand messages a second at best; this does not
// depend on the distance to the broker.
func publishAll(ctx context.Context, pub *amqptrace.Publisher, exchange, key string, bodies [][]byte) error {
	confirmations := make([]*amqptrace.Confirmation, 0, len(bodies))
	for _, body := range bodies {
		c, err := pub.PublishDeferred(ctx, exchange, key, true, false, amqp.Publishing{Body: body})
		if err != nil {
			return err // The others end their spans as the confirmations come in or are forgotten.
		}
		confirmations = append(confirmations, c)
	}
	var errs []error
	for _, c := range confirmations {
		errs = append(errs, c.Wait(ctx))
	}
	return errors.Join(errs...)
}
