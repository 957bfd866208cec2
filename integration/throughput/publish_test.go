package throughput_test

import (
	"context"
	"errors"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/mqtrace/mqtrace/amqptrace"
	"github.com/mqtrace/mqtrace/internal/sidebyside"
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

// messages is how many messages the one side publishes or consumes before it is the
// other's turn.
const messages = 2000

func confirmed(b *testing.B, mandatory bool) {
	b.Helper()
	ch, queue := setUp(b)
	go drain(ch.NotifyReturn(make(chan amqp.Return, 64)))
	raw := func(headers amqp.Table) (wait, error) {
		msg := order()
		msg.Headers = headers
		dc, err := ch.PublishWithDeferredConfirmWithContext(
			context.Background(), "", queue, mandatory, false, msg)
		if err != nil {
			return nil, err
		}
		return func(context.Context) error {
			if !dc.Wait() {
				return errNotAcked
			}
			return nil
		}, nil
	}
	tracedChannel, tracedQueue := setUp(b)
	pub := amqptrace.NewPublisher(tracedChannel, sampled(b)...)
	byHand := newByHand(b)
	floor := func(n int) time.Duration {
		return pipeline(b, n, func() (wait, error) { return raw(order().Headers) })
	}
	for name, publish := range map[string]func() (wait, error){
		"amqptrace": func() (wait, error) {
			c, err := pub.PublishDeferred(context.Background(), "", tracedQueue, mandatory, false, order())
			if err != nil {
				return nil, err
			}
			return c.Wait, nil
		},
		"by-hand": func() (wait, error) {
			headers, end := byHand.publish(order().Headers, queue)
			w, err := raw(headers)
			if err != nil {
				return nil, err
			}
			return func(ctx context.Context) error {
				defer end()
				return w(ctx)
			}, nil
		},
	} {
		b.Run(name, func(b *testing.B) {
			sidebyside.Measure(b, messages, floor, func(n int) time.Duration { return pipeline(b, n, publish) })
		})
	}
}

func drain(returns <-chan amqp.Return) {
	for range returns { // a listener that is not read holds up the connection
	}
}

type wait func(ctx context.Context) error

// pipeline publishes n messages, and waits for a message's confirmation once inFlight
// others have been published after it.
func pipeline(b *testing.B, n int, publish func() (wait, error)) time.Duration {
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
	start := time.Now()
	for i := range n {
		await(pending[i%inFlight])
		w, err := publish()
		if err != nil {
			b.Fatal(err)
		}
		pending[i%inFlight] = w
	}
	for i := range pending {
		await(pending[(n+i)%inFlight])
	}
	return time.Since(start)
}
