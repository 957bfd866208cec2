package main

import (
	"context"
	"log/slog"
	"sync"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/mqtrace/mqtrace/amqptrace"
)

// workers is the prefetch too: what a busy pool holds in advance another one cannot have.
const workers = 3

// pool works off the deliveries until they or ctx end. ctx has no span: one that is
// there, of the start of the program for instance, would become the parent of all.
func pool(
	ctx context.Context, cons *amqptrace.Consumer, deliveries <-chan amqp.Delivery,
	work func(ctx context.Context, body []byte) error,
) {
	// One handler serves all workers. Its span is one call.
	handle := cons.Handler(func(ctx context.Context, d amqp.Delivery) error {
		if err := work(ctx, d.Body); err != nil {
			_ = d.Reject(false) // The work's error matters more.
			return err
		}
		return d.Ack(false)
	})
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for {
				select {
				case <-ctx.Done():
					return // What was not begun the broker gives to another.
				case d, ok := <-deliveries:
					if !ok {
						return
					}
					// What was begun is brought to an end when the program stops.
					if err := handle(context.WithoutCancel(ctx), d); err != nil {
						slog.Debug("message not processed", "error", err)
					}
				}
			}
		})
	}
	wg.Wait()
}
