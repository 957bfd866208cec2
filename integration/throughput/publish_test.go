package throughput_test

import (
	"context"
	"errors"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/mqtrace/mqtrace/amqptrace"
)

// inFlight is how many messages are on their way to be confirmed at once.
const inFlight = 256

var errNotAcked = errors.New("not acked")

func order() amqp.Publishing {
	return amqp.Publishing{
		MessageId: "b9f1c6a2", ContentType: "application/json", Body: make([]byte, 512),
		Headers: amqp.Table{"content-version": int32(2), "source": "checkout"},
	}
}

func BenchmarkConfirmed(b *testing.B)          { confirmed(b, false) }
func BenchmarkConfirmedMandatory(b *testing.B) { confirmed(b, true) }

func confirmed(b *testing.B, mandatory bool) {
	b.Run("floor", func(b *testing.B) {
		ch, queue := setUp(b)
		go drain(ch.NotifyReturn(make(chan amqp.Return, 64)))
		pipeline(b, func() (wait, error) {
			dc, err := ch.PublishWithDeferredConfirmWithContext(
				context.Background(), "", queue, mandatory, false, order())
			if err != nil {
				return nil, err
			}
			return func(ctx context.Context) error {
				select {
				case <-dc.Done():
				case <-ctx.Done():
					return ctx.Err()
				}
				if !dc.Acked() {
					return errNotAcked
				}
				return nil
			}, nil
		})
	})
	b.Run("amqptrace", func(b *testing.B) {
		ch, queue := setUp(b)
		pub := amqptrace.NewPublisher(ch, sampled(b)...)
		pipeline(b, func() (wait, error) {
			c, err := pub.PublishDeferred(context.Background(), "", queue, mandatory, false, order())
			if err != nil {
				return nil, err
			}
			return c.Wait, nil
		})
	})
}

func drain(returns <-chan amqp.Return) {
	for range returns { // a listener that is not read holds up the connection
	}
}

type wait func(ctx context.Context) error

// pipeline publishes, and waits for a message's confirmation once inFlight others have
// been published after it.
func pipeline(b *testing.B, publish func() (wait, error)) {
	b.Helper()
	pending := make([]wait, inFlight)
	await := func(w wait) {
		if w == nil {
			return
		}
		if err := w(context.Background()); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportAllocs()
	b.ResetTimer()
	for i := range b.N {
		await(pending[i%inFlight])
		w, err := publish()
		if err != nil {
			b.Fatal(err)
		}
		pending[i%inFlight] = w
	}
	for i := range pending {
		await(pending[(b.N+i)%inFlight])
	}
	b.StopTimer()
}
