package main

import (
	"context"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/mqtrace/mqtrace/amqptrace"
)

// serve answers requests until they or ctx end.
func serve(
	ctx context.Context, cons *amqptrace.Consumer, pub *amqptrace.Publisher, requests <-chan amqp.Delivery,
) error {
	for ctx, d := range cons.Deliveries(ctx, requests) {
		// With the loop's ctx, the reply is published under the request. The address is
		// the routing key of the default exchange, and so in no span's name.
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
