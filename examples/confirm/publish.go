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
	later         verdict = "refused: the broker did not keep the message, try again later"
	unknown       verdict = "unknown: the broker may have the message, and sending it again may duplicate it"
)

// publish publishes one message and waits for the broker's confirm. The span covers the
// wait, so that a slow broker shows in the trace.
func publish(ctx context.Context, pub *amqptrace.Publisher, exchange, key string, body []byte) (verdict, error) {
	// A broker with a memory or a disk alarm does not answer at all.
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()

	// Mandatory: otherwise the broker acks a message that it cannot route to any queue.
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

// publishAll sends all messages before it waits for the first confirm. Waiting for each in
// turn would limit it to one message per round trip.
func publishAll(ctx context.Context, pub *amqptrace.Publisher, exchange, key string, bodies [][]byte) error {
	confirmations := make([]*amqptrace.Confirmation, 0, len(bodies))
	for _, body := range bodies {
		c, err := pub.PublishDeferred(ctx, exchange, key, true, false, amqp.Publishing{Body: body})
		if err != nil {
			return err // The others end their spans when their confirms arrive or are given up.
		}
		confirmations = append(confirmations, c)
	}
	var errs []error
	for _, c := range confirmations {
		errs = append(errs, c.Wait(ctx))
	}
	return errors.Join(errs...)
}
