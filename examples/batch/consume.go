package main

import (
	"context"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/mqtrace/mqtrace/amqptrace"
)

const (
	// batchSize is the prefetch too: with a smaller prefetch a batch would never fill up.
	batchSize = 3
	batchWait = 5 * time.Second
)

// consume processes messages in batches until there are no more deliveries or ctx is done.
// ctx must have no span: it would become the parent of every batch.
func consume(
	ctx context.Context, cons *amqptrace.Consumer, deliveries <-chan amqp.Delivery,
	insert func(ctx context.Context, rows []string) error,
) error {
	// The span covers one call of this function. Collecting is not part of it.
	handle := cons.BatchHandler(func(ctx context.Context, ds []amqp.Delivery) error {
		rows := make([]string, 0, len(ds))
		for _, d := range ds {
			rows = append(rows, string(d.Body))
		}
		// These copies of the deliveries report their settlement to the span. Those in
		// collect's slice do not.
		last := ds[len(ds)-1]
		if err := insert(ctx, rows); err != nil {
			_ = last.Nack(true, true) // The insert's error matters more.
			return err
		}
		return last.Ack(true) // One frame settles all of them.
	})
	for {
		batch, more := collect(ctx, deliveries)
		if len(batch) > 0 {
			if err := handle(ctx, batch); err != nil {
				return err // A service would log it and continue: the messages are requeued.
			}
		}
		if !more {
			return nil
		}
	}
}

// collect waits for a full batch, but not longer than batchWait after its first message.
func collect(ctx context.Context, deliveries <-chan amqp.Delivery) (batch []amqp.Delivery, more bool) {
	var late <-chan time.Time
	for len(batch) < batchSize {
		select {
		case d, ok := <-deliveries:
			if !ok {
				return batch, false
			}
			batch = append(batch, d)
			if late == nil {
				late = time.After(batchWait)
			}
		case <-late:
			return batch, true
		case <-ctx.Done():
			return nil, false // The broker redelivers unacknowledged messages.
		}
	}
	return batch, true
}
