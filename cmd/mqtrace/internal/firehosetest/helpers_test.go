package firehosetest_test

import (
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

const (
	patience = 30 * time.Second       // for what is expected
	settle   = 150 * time.Millisecond // for what is not
)

// must returns v, or fails the test if err is not nil.
func must[T any](t *testing.T) func(v T, err error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// dial opens a channel on a connection of its own that is closed when the test ends.
func dial(t *testing.T, url string) *amqp.Channel {
	t.Helper()
	conn := must[*amqp.Connection](t)(amqp.Dial(url))
	t.Cleanup(func() { _ = conn.Close() })
	return must[*amqp.Channel](t)(conn.Channel())
}

func publish(t *testing.T, ch *amqp.Channel, exchange, key string, p amqp.Publishing) {
	t.Helper()
	ok(t, ch.PublishWithContext(t.Context(), exchange, key, false, false, p))
}

func receive(t *testing.T, deliveries <-chan amqp.Delivery) amqp.Delivery {
	t.Helper()
	select {
	case d, open := <-deliveries:
		if !open {
			t.Fatal("the deliveries have ended")
		}
		return d
	case <-time.After(patience):
		t.Fatal("no delivery")
	}
	panic("unreachable")
}

func fetch(t *testing.T, ch *amqp.Channel, queue string) amqp.Delivery {
	t.Helper()
	d, found, err := ch.Get(queue, false)
	if err != nil || !found {
		t.Fatalf("nothing to get: %v", err)
	}
	return d
}
