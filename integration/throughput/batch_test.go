package throughput_test

import (
	"context"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/mqtrace/mqtrace/amqptrace"
	"github.com/mqtrace/mqtrace/internal/sidebyside"
)

const batchSize = 100

// BenchmarkBatch is the consumption of messages that carry a trace each, in batches
// that are acknowledged at once. An operation is a message.
func BenchmarkBatch(b *testing.B) {
	ch, queue := setUp(b)
	pub := amqptrace.NewPublisher(ch, sampled(b)...)
	traced := amqptrace.NewConsumer(queue, sampled(b)...).BatchHandler(settle)
	sidebyside.Measure(b, messages,
		func(n int) time.Duration { return batches(b, n, ch, queue, pub, settle) },
		func(n int) time.Duration { return batches(b, n, ch, queue, pub, traced) })
}

type handler func(ctx context.Context, ds []amqp.Delivery) error

func settle(_ context.Context, ds []amqp.Delivery) error { return ds[len(ds)-1].Ack(true) }

// batches consumes n messages that it has published before, from the first to the last.
func batches(
	b *testing.B, n int, ch *amqp.Channel, queue string, pub *amqptrace.Publisher, handle handler,
) time.Duration {
	b.Helper()
	fill(b, n, queue, pub)
	if err := ch.Qos(3*batchSize, 0, false); err != nil {
		b.Fatal(err)
	}
	deliveries, err := ch.Consume(queue, queue, false, false, false, false, nil)
	if err != nil {
		b.Fatal(err)
	}
	var start time.Time
	for left := n; left > 0; {
		ds := make([]amqp.Delivery, 0, batchSize)
		for len(ds) < min(batchSize, left) {
			d, ok := <-deliveries
			if !ok {
				b.Fatal("the consumer was closed")
			}
			if start.IsZero() {
				start = time.Now()
			}
			ds = append(ds, d)
		}
		left -= len(ds)
		if err := handle(context.Background(), ds); err != nil {
			b.Fatal(err)
		}
	}
	took := time.Since(start)
	if err := ch.Cancel(queue, false); err != nil {
		b.Fatal(err)
	}
	return took
}

// fill publishes what is to be consumed.
func fill(b *testing.B, n int, queue string, pub *amqptrace.Publisher) {
	b.Helper()
	var last *amqptrace.Confirmation
	for range n {
		c, err := pub.PublishDeferred(context.Background(), "", queue, false, false, order())
		if err != nil {
			b.Fatal(err)
		}
		last = c
	}
	if err := last.Wait(context.Background()); err != nil {
		b.Fatal(err)
	}
}
