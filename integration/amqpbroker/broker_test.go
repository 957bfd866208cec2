package amqpbroker_test

import (
	"context"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/mqtrace/mqtrace/internal/amqpbroker"
)

func TestCloseTellsClients(t *testing.T) {
	b := start(t, amqpbroker.WithCloseGrace(time.Hour)) // the client's answer ends the wait
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
