package throughput_test

import (
	"context"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/mqtrace/mqtrace/amqptrace"
)

const batchSize = 100

// BenchmarkBatch is the consumption of messages that carry a trace each, in batches
// that are acknowledged at once. An operation is a message.
func BenchmarkBatch(b *testing.B) {
	b.Run("floor", func(b *testing.B) {
		batches(b, func(*testing.B, string) handler { return settle })
	})
	b.Run("amqptrace", func(b *testing.B) {
		batches(b, func(b *testing.B, queue string) handler {
			return amqptrace.NewConsumer(queue, sampled(b)...).BatchHandler(settle)
		})
	})
}

type handler func(ctx context.Context, ds []amqp.Delivery) error

func settle(_ context.Context, ds []amqp.Delivery) error { return ds[len(ds)-1].Ack(true) }

func batches(b *testing.B, newHandler func(b *testing.B, queue string) handler) {
	b.Helper()
	ch, queue := setUp(b)
	fill(b, ch, queue)
	handle := newHandler(b, queue)
	if err := ch.Qos(3*batchSize, 0, false); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	b.ResetTimer()
	deliveries, err := ch.Consume(queue, "", false, false, false, false, nil)
	if err != nil {
		b.Fatal(err)
	}
	for left := b.N; left > 0; {
		ds := make([]amqp.Delivery, 0, batchSize)
		for len(ds) < min(batchSize, left) {
			d, ok := <-deliveries
			if !ok {
				b.Fatal("the consumer was closed")
			}
			ds = append(ds, d)
		}
		left -= len(ds)
		if err := handle(context.Background(), ds); err != nil {
			b.Fatal(err)
		}
	}
	b.StopTimer()
}

// fill publishes what is to be consumed.
func fill(b *testing.B, ch *amqp.Channel, queue string) {
	b.Helper()
	pub := amqptrace.NewPublisher(ch, sampled(b)...)
	var last *amqptrace.Confirmation
	for range b.N {
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
