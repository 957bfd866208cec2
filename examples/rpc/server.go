package main

import (
	"context"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/mqtrace/mqtrace/amqptrace"
)

// serve answers requests until there are no more or ctx is done.
func serve(
	ctx context.Context, cons *amqptrace.Consumer, pub *amqptrace.Publisher, requests <-chan amqp.Delivery,
) error {
	for ctx, d := range cons.Deliveries(ctx, requests) {
		// With the loop's ctx, the reply is published as a child of the request. The
		// address is a routing key of the default exchange, and so not part of any span
		// name.
		err := pub.PublishWithContext(ctx, "", d.ReplyTo, false, false, amqp.Publishing{
			CorrelationId: d.CorrelationId,
			Body:          append(d.Body, ": 4.50"...),
		})
		if err != nil {
			return err
		}
		if err := d.Ack(false); err != nil {
			return err
		}
	}
	return nil
}
