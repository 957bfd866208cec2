package main

import (
	"context"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/mqtrace/mqtrace/amqptrace"
)

const (
	maxAttempts = 3
	retryAfter  = 100 * time.Millisecond // Minutes, in production.
)

// loopArguments are the arguments of the work queue: nacked messages go to the retry queue.
func loopArguments(retry string) amqp.Table {
	return amqp.Table{"x-dead-letter-exchange": "", "x-dead-letter-routing-key": retry}
}

// pauseArguments are the arguments of the retry queue, which has no consumer: a message
// goes back to the work queue when its TTL expires.
func pauseArguments(work string) amqp.Table {
	return amqp.Table{
		amqp.QueueMessageTTLArg:     retryAfter.Milliseconds(),
		"x-dead-letter-exchange":    "",
		"x-dead-letter-routing-key": work,
	}
}

// retryLoop gives each message maxAttempts, with a pause between them, and then parks it.
// The message waits in the broker, so the consumer is free meanwhile. The message keeps the
// traceparent of its publish, which is thus the parent of every attempt.
func retryLoop(
	ctx context.Context, cons *amqptrace.Consumer, deliveries <-chan amqp.Delivery,
	pub *amqptrace.Publisher, q queues, work func(ctx context.Context, body []byte) error,
) error {
	for ctx, d := range cons.Deliveries(ctx, deliveries) {
		err := work(ctx, d.Body)
		amqptrace.Fail(ctx, err) // Does nothing if err is nil.
		switch {
		case err == nil:
			err = d.Ack(false)
		case attempt(d, q.parcels) < maxAttempts:
			err = d.Nack(false, false)
		default:
			err = park(ctx, pub, q.parked, d)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// park publishes the message to the parking queue, for people to look at. The delivery is
// acknowledged only once the broker has confirmed that. The headers have the history of the
// message's deaths; the publisher injects the current trace context into a copy of them.
func park(ctx context.Context, pub *amqptrace.Publisher, queue string, d amqp.Delivery) error {
	err := pub.PublishConfirmed(ctx, "", queue, true, false, amqp.Publishing{
		Headers: d.Headers, DeliveryMode: d.DeliveryMode, MessageId: d.MessageId, Body: d.Body,
	})
	if err != nil {
		return d.Nack(false, false) // Another round is better than losing it.
	}
	return d.Ack(false)
}

// attempt returns the number of the attempt, starting at 1. The process span has it as
// mqtrace.attempt.
func attempt(d amqp.Delivery, queue string) int64 {
	deaths, _ := d.Headers["x-death"].([]any)
	for _, entry := range deaths {
		death, _ := entry.(amqp.Table)
		if death["queue"] == queue && death["reason"] == "rejected" {
			count, _ := death["count"].(int64)
			return 1 + count
		}
	}
	return 1
}
