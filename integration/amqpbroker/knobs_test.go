package amqpbroker_test

import (
	"context"
	"sync"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/mqtrace/mqtrace/internal/amqpbroker"
)

// confirmed publishes and waits for the confirmation.
func confirmed(t *testing.T, ch *amqp.Channel, key string, wait time.Duration) (acked bool, err error) {
	t.Helper()
	dc, err := ch.PublishWithDeferredConfirmWithContext(background, "", key, false, false, amqp.Publishing{})
	ok(t, err)
	ctx, cancel := context.WithTimeout(background, wait)
	defer cancel()
	return dc.WaitContext(ctx)
}

func TestCutConnections(t *testing.T) {
	b := start(t)
	config := amqp.Config{Properties: amqp.Table{"connection_name": "first"}}
	first := must[*amqp.Connection](t)(amqp.DialConfig(b.URL(), config))
	second, _ := dial(t, b.URL())
	firstGone, secondGone := first.NotifyClose(make(chan *amqp.Error, 1)), second.NotifyClose(make(chan *amqp.Error, 1))
	for _, c := range b.Connections() {
		if c.Name == "first" {
			c.Cut()
		}
	}
	ended(t, firstGone)
	if second.IsClosed() {
		t.Error("the other connection has ended too")
	}
	if n := b.CutConnections(); n != 1 {
		t.Errorf("cut %d connections, want 1", n)
	}
	ended(t, secondGone)
	dial(t, b.URL())
}

func TestBlockPublishers(t *testing.T) {
	b := start(t)
	conn, ch := dial(t, b.URL())
	ok(t, ch.Confirm(false))
	q := declare(t, b.URL(), ch, nil)
	deliveries := must[<-chan amqp.Delivery](t)(ch.Consume(q, "", true, false, false, false, nil))
	blocked := conn.NotifyBlocked(make(chan amqp.Blocking, 2))
	b.BlockPublishers("low on memory")
	// As in RabbitMQ, the first message sent to a blocked broker still goes through.
	if acked, err := confirmed(t, ch, q, patience); err != nil || !acked {
		t.Fatal(acked, err)
	}
	receive(t, deliveries)
	if got := <-blocked; !got.Active || got.Reason != "low on memory" {
		t.Errorf("blocked: %+v", got)
	}
	if _, err := confirmed(t, ch, q, 200*time.Millisecond); err == nil {
		t.Error("a message went through while publishers were blocked")
	}
	_, other := dial(t, b.URL()) // a connection that does not publish is not held up
	must[amqp.Queue](t)(other.QueueDeclarePassive(q, true, false, false, false, nil))
	b.UnblockPublishers()
	if got := <-blocked; got.Active {
		t.Errorf("unblocked: %+v", got)
	}
	receive(t, deliveries)
}

func TestCloseWhileBlocked(t *testing.T) {
	b := start(t, amqpbroker.WithCloseGrace(time.Hour)) // the client's answer ends the wait
	_, ch := dial(t, b.URL())
	b.BlockPublishers("test")
	for range 10 {
		publish(t, ch, "", "nobody", amqp.Publishing{})
	}
	returns(t, "Close", func() { _ = b.Close() })
}

func TestRefuseConfirms(t *testing.T) {
	b := start(t)
	_, ch := dial(t, b.URL())
	q := declare(t, b.URL(), ch, nil)
	ok(t, ch.Confirm(false))
	b.RefuseConfirms(true)
	if acked, err := confirmed(t, ch, q, patience); err != nil || acked {
		t.Errorf("acked %t, %v, want a nack", acked, err)
	}
	b.RefuseConfirms(false)
	if acked, err := confirmed(t, ch, q, patience); err != nil || !acked {
		t.Errorf("acked %t, %v, want an ack", acked, err)
	}
	if state := must[amqp.Queue](t)(ch.QueueDeclarePassive(q, true, false, false, false, nil)); state.Messages != 1 {
		t.Errorf("%d messages, want the acknowledged one", state.Messages)
	}
}

func TestDelayConfirms(t *testing.T) {
	b := start(t)
	_, ch := dial(t, b.URL())
	ok(t, ch.Confirm(false))
	const delay = 150 * time.Millisecond
	b.DelayConfirms(delay)
	begun := time.Now()
	if acked, err := confirmed(t, ch, "nobody", patience); err != nil || !acked {
		t.Fatal(acked, err)
	}
	if took := time.Since(begun); took < delay {
		t.Errorf("confirmed after %v, want %v", took, delay)
	}
	begun = time.Now()
	if _, err := confirmed(t, ch, "nobody", delay/3); err == nil && time.Since(begun) < delay {
		t.Error("confirmed before its time")
	}
	b.DelayConfirms(0)
	if acked, err := confirmed(t, ch, "nobody", patience); err != nil || !acked {
		t.Error(acked, err)
	}
}

func TestFrameHook(t *testing.T) {
	var mu sync.Mutex
	seen := map[bool]map[byte]int{true: {}, false: {}}
	b := start(t, amqpbroker.WithFrameHook(func(f amqpbroker.Frame) {
		mu.Lock()
		defer mu.Unlock()
		seen[f.FromClient][f.Type]++
	}))
	_, ch := dial(t, b.URL())
	q := declare(t, b.URL(), ch, nil)
	publish(t, ch, "", q, amqp.Publishing{Body: []byte("body")})
	receive(t, must[<-chan amqp.Delivery](t)(ch.Consume(q, "", true, false, false, false, nil)))
	mu.Lock()
	defer mu.Unlock()
	for _, fromClient := range []bool{true, false} {
		if n := seen[fromClient]; n[1] < 5 || n[2] != 1 || n[3] != 1 {
			t.Errorf("from the client %t: frames by type %v", fromClient, n)
		}
	}
}

func TestOptions(t *testing.T) {
	b := start(t, nil, amqpbroker.WithCredentials("me", "secret"), amqpbroker.WithHeartbeat(7*time.Second),
		amqpbroker.WithFrameMax(8192), amqpbroker.WithChannelMax(3), amqpbroker.WithMaxMessageSize(20_000))
	conn, ch := dial(t, b.URL())
	if c := conn.Config; c.Heartbeat != 7*time.Second || c.FrameSize != 8192 || c.ChannelMax != 3 {
		t.Errorf("negotiated %+v", c)
	}
	if _, err := amqp.Dial("amqp://guest:guest@" + b.Addr() + "/"); err != amqp.ErrCredentials {
		t.Errorf("guest: %v", err)
	}
	closed := ch.NotifyClose(make(chan *amqp.Error, 1))
	publish(t, ch, "", "nobody", amqp.Publishing{Body: make([]byte, 20_000)})
	publish(t, ch, "", "nobody", amqp.Publishing{Body: make([]byte, 20_001)})
	err := ended(t, closed)
	if err == nil || err.Code != amqp.PreconditionFailed {
		t.Errorf("a message too large: %v", err)
	}
}
