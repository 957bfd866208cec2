package main

import (
	"context"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/mqtrace/mqtrace/amqptrace"
)

// requeueLater holds a message that failed for a while and then requeues it. No second
// queue is needed, but the message counts against the prefetch meanwhile, and is
// redelivered at once if the program ends.
func requeueLater(
	ctx context.Context, cons *amqptrace.Consumer, deliveries <-chan amqp.Delivery,
	work func(ctx context.Context, body []byte) error,
) error {
	for ctx, d := range cons.Deliveries(ctx, deliveries) {
		if err := work(ctx, d.Body); err != nil {
			amqptrace.Fail(ctx, err)
			// The span of this attempt ends now, without a settlement. The nack gets a span
			// of its own, as its child.
			time.AfterFunc(retryAfter, func() { _ = d.Nack(false, true) })
			continue
		}
		if err := d.Ack(false); err != nil {
			return err
		}
	}
	return nil
}
