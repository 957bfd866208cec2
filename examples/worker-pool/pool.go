package main

import (
	"context"
	"log/slog"
	"sync"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/mqtrace/mqtrace/amqptrace"
)

// workers is the prefetch too: messages that a busy pool prefetches are not available to
// another.
const workers = 3

// pool processes the deliveries until there are no more or ctx is done. ctx must have no
// span: one from the program's start-up, for instance, would become the parent of all.
func pool(
	ctx context.Context, cons *amqptrace.Consumer, deliveries <-chan amqp.Delivery,
	work func(ctx context.Context, body []byte) error,
) {
	// One handler serves all workers. A span covers one call of it.
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
					return // The broker redelivers to another consumer what was not started.
				case d, ok := <-deliveries:
					if !ok {
						return
					}
					// What was started is finished when the program stops.
					if err := handle(context.WithoutCancel(ctx), d); err != nil {
						slog.Debug("message not processed", "error", err)
					}
				}
			}
		})
	}
	wg.Wait()
}
