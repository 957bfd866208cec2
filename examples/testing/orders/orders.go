// Package orders is the program that docs/testing.md tests: it publishes orders and bills
// them, and welcomes customers with an asynq task.
package orders

import (
	"context"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/mqtrace/mqtrace/amqptrace"
)

// Place publishes an order and waits for its confirm.
func Place(ctx context.Context, ch *amqp.Channel, id string) error {
	return amqptrace.NewPublisher(ch).PublishConfirmed(ctx, "orders", "order.created", true, false,
		amqp.Publishing{MessageId: id, Body: []byte(id)})
}

// Bill bills orders until the channel is closed. An order that cannot be billed is retried
// once.
func Bill(ctx context.Context, ch *amqp.Channel, charge func(order string) error) error {
	deliveries, err := ch.ConsumeWithContext(ctx, "billing", "", false, false, false, false, nil)
	if err != nil {
		return err
	}
	for ctx, d := range amqptrace.NewConsumer("billing").Deliveries(ctx, deliveries) {
		if err := charge(string(d.Body)); err != nil {
			amqptrace.Fail(ctx, err)
			_ = d.Nack(false, !d.Redelivered)
		} else {
			_ = d.Ack(false)
		}
	}
	return nil
}
