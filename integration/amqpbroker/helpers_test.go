package amqpbroker_test

import (
	"context"
	"fmt"
	"os"
	"sync/atomic"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/mqtrace/mqtrace/internal/amqpbroker"
)

// patience is how long tests wait for what they expect.
const patience = 30 * time.Second

// serverVariable names a RabbitMQ to compare the broker with.
const serverVariable = "MQTRACE_AMQP_URL"

// eachServer runs f against the in-process broker, and against the real server if one is
// named. That one must answer: a suite that skips proves nothing.
func eachServer(t *testing.T, f func(t *testing.T, url string)) {
	t.Run("amqpbroker", func(t *testing.T) { f(t, start(t).URL()) })
	if os.Getenv(serverVariable) != "" {
		t.Run("rabbitmq", func(t *testing.T) { f(t, realURL(t)) })
	}
}

func realURL(t *testing.T) string {
	t.Helper()
	url := os.Getenv(serverVariable)
	conn, err := amqp.Dial(url)
	if err != nil {
		t.Fatalf("%s=%q does not answer: %v", serverVariable, url, err)
	}
	_ = conn.Close()
	return url
}

var uniqueNumber atomic.Int64

// unique returns a name that nothing else on the server has.
func unique(kind string) string {
	return fmt.Sprintf("mqtrace-test-%d-%d-%s", os.Getpid(), uniqueNumber.Add(1), kind)
}

// start runs a broker that is closed when the test ends.
func start(t testing.TB, opts ...amqpbroker.Option) *amqpbroker.Broker {
	t.Helper()
	b, err := amqpbroker.Start(opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	return b
}

// dial opens a connection and a channel that are closed when the test ends.
func dial(t testing.TB, url string) (*amqp.Connection, *amqp.Channel) {
	t.Helper()
	conn, err := amqp.Dial(url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	ch, err := conn.Channel()
	if err != nil {
		t.Fatal(err)
	}
	return conn, ch
}

var background = context.Background()

// must returns v, or fails the test if err is not nil.
func must[T any](t testing.TB) func(v T, err error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func ok(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// declare declares a queue that is deleted when the test ends.
func declare(t testing.TB, url string, ch *amqp.Channel, args amqp.Table) string {
	t.Helper()
	name := unique("q")
	must[amqp.Queue](t)(ch.QueueDeclare(name, true, false, false, false, args))
	t.Cleanup(func() {
		conn, err := amqp.Dial(url)
		if err != nil {
			return // the test has ended its broker
		}
		defer conn.Close()
		if ch, err := conn.Channel(); err == nil {
			_, _ = ch.QueueDelete(name, false, false, false)
		}
	})
	return name
}

func publish(t testing.TB, ch *amqp.Channel, exchange, key string, p amqp.Publishing) {
	t.Helper()
	ok(t, ch.PublishWithContext(background, exchange, key, false, false, p))
}

func receive(t testing.TB, deliveries <-chan amqp.Delivery) amqp.Delivery {
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

// returns fails the test if the function that it calls does not return.
func returns(t *testing.T, what string, call func()) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		call()
	}()
	select {
	case <-done:
	case <-time.After(patience):
		t.Fatalf("%s does not return", what)
	}
}

// ended waits until a connection has been closed, and returns the reason.
func ended(t *testing.T, closed <-chan *amqp.Error) *amqp.Error {
	t.Helper()
	select {
	case err := <-closed:
		return err
	case <-time.After(patience):
		t.Fatal("the connection is still open")
		return nil
	}
}
