package amqpbroker_test

import (
	"context"
	"errors"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"go.uber.org/goleak"

	"github.com/mqtrace/mqtrace/internal/amqpbroker"
	"github.com/mqtrace/mqtrace/internal/amqpbroker/firehosetest"
)

func TestMain(m *testing.M) {
	// amqp091-go's recovery sometimes forgets its own goroutines when a connection
	// that has recovered is closed. None of the broker's runs any of these.
	const client = "github.com/rabbitmq/amqp091-go."
	goleak.VerifyTestMain(m,
		goleak.IgnoreAnyFunction(client+"(*Connection).watchConnection.func1"),
		goleak.IgnoreAnyFunction(client+"(*Channel).watchChannel.func1"),
		goleak.IgnoreAnyFunction(client+"(*consumers).buffer"),
		goleak.Cleanup(firehosetest.Exit))
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

func TestListenRefusesOtherAddresses(t *testing.T) {
	for _, addr := range []string{"0.0.0.0:0", ":0", "[::]:0"} {
		if _, err := amqpbroker.Listen(addr); !errors.Is(err, amqpbroker.ErrNotLoopback) {
			t.Errorf("Listen(%q): %v, want ErrNotLoopback", addr, err)
		}
	}
	b, err := amqpbroker.Listen("0.0.0.0:0", amqpbroker.AllowNonLoopback())
	if err != nil {
		t.Fatal(err)
	}
	_ = b.Close()
}

// returns fails the test where what it calls does not return.
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

// ended waits until a connection has been closed, and says how.
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

func TestCloseTellsClients(t *testing.T) {
	b := start(t, amqpbroker.WithCloseGrace(time.Hour)) // that a client answers ends the wait
	conn, ch := dial(t, b.URL())
	closed := conn.NotifyClose(make(chan *amqp.Error, 1))
	if _, err := ch.QueueDeclare("q", false, false, false, false, nil); err != nil {
		t.Fatal(err)
	}
	returns(t, "Close", func() { _ = b.Close() })
	if err := ended(t, closed); err == nil || err.Code != amqp.ConnectionForced {
		t.Errorf("the client saw %v, want 320", err)
	}
	if err := b.Close(); err != nil {
		t.Errorf("second Close: %v", err)
	}
}

func TestKillThenListenOnTheSameAddress(t *testing.T) {
	b := start(t)
	conn, ch := dial(t, b.URL())
	closed := conn.NotifyClose(make(chan *amqp.Error, 1))
	if _, err := ch.QueueDeclare("q", true, false, false, false, nil); err != nil {
		t.Fatal(err)
	}
	b.Kill()
	ended(t, closed)
	again, err := amqpbroker.Listen(b.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = again.Close() })
	_, ch = dial(t, again.URL())
	if err := ch.PublishWithContext(context.Background(), "", "q", false, false, amqp.Publishing{}); err != nil {
		t.Fatal(err)
	}
	if _, err := ch.QueueDeclarePassive("q", true, false, false, false, nil); err == nil {
		t.Error("the queue has outlived the broker")
	}
}
