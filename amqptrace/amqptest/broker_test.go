package amqptest_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/mqtrace/mqtrace/amqptrace"
	"github.com/mqtrace/mqtrace/amqptrace/amqptest"
)

var background = context.Background()

// publish publishes to a queue and returns the broker's answer.
func publish(ch *amqp.Channel, queue string, wait time.Duration) error {
	ctx, cancel := context.WithTimeout(background, wait)
	defer cancel()
	return amqptrace.NewPublisher(ch).PublishConfirmed(ctx, "", queue, true, false, amqp.Publishing{})
}

func TestTopology(t *testing.T) {
	b := amqptest.Start(t, nil)
	b.DeclareQueue("q", amqp.Table{"x-queue-type": "quorum"})
	b.DeclareQueue("other", nil)
	b.DeclareExchange("x", "topic")
	b.BindQueue("q", "k.*", "x")
	if got := b.Queues(); !slices.Equal(got, []string{"other", "q"}) {
		t.Errorf("queues %q", got)
	}
	ch := b.Channel()
	ok(t, amqptrace.NewPublisher(ch).PublishConfirmed(background, "x", "k.1", true, false, amqp.Publishing{Body: []byte("b")}))
	if err := publish(ch, "nobody", time.Minute); !errors.Is(err, amqptrace.ErrReturned) {
		t.Errorf("a message without a queue: %v", err)
	}
	got := b.WaitMessages("q", 1)[0]
	if got.Exchange != "x" || got.RoutingKey != "k.1" || string(got.Body) != "b" || got.Unacked || got.Redelivered {
		t.Errorf("holds %+v", got)
	}
	if got := b.Messages("nobody"); len(got) != 0 {
		t.Errorf("a queue that does not exist holds %+v", got)
	}
}

func TestMessagesAreThoseNotSettled(t *testing.T) {
	b := amqptest.Start(t)
	b.DeclareQueue("q", nil)
	ch := b.Channel()
	for range 3 {
		ok(t, publish(ch, "q", time.Minute))
	}
	d, _, err := ch.Get("q", false)
	ok(t, err)
	unacked := func() (list []bool) {
		for _, m := range b.WaitMessages("q", 3) {
			list = append(list, m.Unacked)
		}
		return list
	}
	if got := unacked(); !slices.Equal(got, []bool{true, false, false}) {
		t.Errorf("unacked: %v", got)
	}
	ok(t, d.Ack(false))
	b.WaitMessages("q", 2)
	_, err = ch.QueuePurge("q", false)
	ok(t, err)
	b.WaitMessages("q", 0)
}

func TestFaults(t *testing.T) {
	b := amqptest.Start(t)
	b.DeclareQueue("q", nil)
	ch := b.Channel()
	b.RefuseConfirms(true)
	if err := publish(ch, "q", time.Minute); !errors.Is(err, amqptrace.ErrNacked) {
		t.Errorf("refused: %v", err)
	}
	b.RefuseConfirms(false)
	ok(t, publish(ch, "q", time.Minute))

	b.BlockPublishers("test")
	ok(t, publish(ch, "q", time.Minute)) // the message that finds the alarm
	if err := publish(ch, "q", 50*time.Millisecond); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("blocked: %v", err)
	}
	b.UnblockPublishers()
	ok(t, publish(ch, "q", time.Minute))

	b.CutConnections()
	if err := publish(ch, "q", time.Minute); err == nil {
		t.Error("published on a connection that was cut")
	}
	ok(t, publish(b.Channel(), "q", time.Minute))
	b.WaitMessages("q", 5)
}

// Messages expire in Advance, whether or not the clock runs.
func TestAdvance(t *testing.T) {
	for name, opts := range map[string][]amqptest.Option{"running": nil, "stopped": {amqptest.WithStoppedClock()}} {
		t.Run(name, func(t *testing.T) {
			b := amqptest.Start(t, opts...)
			b.DeclareQueue("dead", nil)
			b.DeclareQueue("q", amqp.Table{
				"x-message-ttl": 3_600_000, "x-dead-letter-exchange": "", "x-dead-letter-routing-key": "dead",
			})
			ch := b.Channel()
			ok(t, publish(ch, "q", time.Minute))
			b.Advance(59 * time.Minute)
			b.WaitMessages("q", 1)
			b.Advance(time.Minute)
			if q, dead := b.Messages("q"), b.Messages("dead"); len(q) != 0 || len(dead) != 1 || dead[0].Headers["x-death"] == nil {
				t.Errorf("after the TTL %+v and %+v", q, dead)
			}

			b.DelayConfirms(time.Hour)
			confirmed := make(chan error)
			go func() { confirmed <- publish(ch, "q", time.Minute) }()
			b.WaitMessages("q", 1)
			for waiting := true; waiting; { // the confirm is pending once the broker waits for more
				b.Advance(time.Hour)
				select {
				case err := <-confirmed:
					ok(t, err)
					waiting = false
				case <-time.After(time.Millisecond):
				}
			}
		})
	}
}

// Without Advance, nothing expires on a stopped clock; on a running one it does.
func TestClock(t *testing.T) {
	const ttl = 20 * time.Millisecond
	args := amqp.Table{"x-message-ttl": ttl.Milliseconds()}
	stopped, running := amqptest.Start(t, amqptest.WithStoppedClock()), amqptest.Start(t)
	for _, b := range []*amqptest.Broker{stopped, running} {
		b.DeclareQueue("q", args)
		ok(t, publish(b.Channel(), "q", time.Minute))
	}
	running.WaitMessages("q", 0)
	stopped.WaitMessages("q", 1)
	stopped.Advance(ttl + time.Millisecond)
	stopped.WaitMessages("q", 0)
}

func TestWaitMessagesFails(t *testing.T) {
	amqptest.SetPatience(t, 10*time.Millisecond)
	o := &observer{T: t}
	b := amqptest.Start(o)
	func() {
		defer func() { _, _ = recover().(failed) }()
		b.WaitMessages("q", 1)
	}()
	if !slices.Equal(o.failures, []string{"amqptest: q holds 0 messages, want 1"}) {
		t.Errorf("%q", o.failures)
	}
}
