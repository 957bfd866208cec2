package amqptrace_test

import (
	"context"
	"errors"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/mqtrace/mqtrace/amqptrace"
)

// A program may create a publisher for each message.
func TestPublisherForEachMessage(t *testing.T) {
	onBrokers(t, func(t *testing.T, ch *amqp.Channel) {
		_, queue, _ := topology(t, ch)
		if err := ch.Confirm(false); err != nil {
			t.Fatal(err)
		}
		publish := func(n int) {
			for range n {
				if err := amqptrace.NewPublisher(ch).PublishConfirmed(
					context.Background(), "", queue, true, false, amqp.Publishing{}); err != nil {
					t.Fatal(err)
				}
			}
		}
		publish(1)
		before := goroutines()
		publish(200)
		if n := goroutines() - before; n > 5 {
			t.Errorf("200 publishers have left %d goroutines", n)
		}
		if n := amqptrace.ChannelsKnown(); n == 0 {
			t.Error("the channel is not known")
		}
	})
}

// What is known about a channel and a connection is shared by all their users, and freed
// with them.
func TestChannelsAreForgotten(t *testing.T) {
	onURLs(t, func(t *testing.T, url string) {
		forgotten := func() bool { return amqptrace.ChannelsKnown() == 0 && amqptrace.ConnectionsKnown() == 0 }
		collect(t, forgotten)
		conn, err := amqp.Dial(url)
		if err != nil {
			t.Fatal(err)
		}
		for range 10 {
			ch, err := conn.Channel()
			if err != nil {
				t.Fatal(err)
			}
			_ = ch.Confirm(false)
			_ = amqptrace.NewPublisher(ch, amqptrace.WithConnection(conn)).
				PublishConfirmed(context.Background(), "", "nowhere", true, false, amqp.Publishing{})
			_, _, _ = amqptrace.NewConsumer("nowhere").Get(context.Background(), ch, false)
			_ = ch.Close()
		}
		if n := amqptrace.ConnectionsKnown(); n != 1 {
			t.Errorf("%d connections are known, want 1", n)
		}
		_ = conn.Close()
		collect(t, forgotten)
	})
}

// A copy of a confirmation is the same confirmation: the span goes on as long as either is
// reachable.
func TestCopyOfAConfirmation(t *testing.T) {
	rec := newRecorder(t)
	pub := amqptrace.NewPublisher(&channel{confirmation: new(amqp.DeferredConfirmation)}, rec.options()...)
	c, err := pub.PublishDeferred(context.Background(), "x", "k", false, false, amqp.Publishing{})
	if err != nil {
		t.Fatal(err)
	}
	cp := *c
	c = nil
	ended := func() bool { return len(rec.Ended()) > 0 }
	for range 5 {
		gc()
	}
	if ended() {
		t.Error("the span has ended, and a copy is held")
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := cp.Wait(ctx); !errors.Is(err, context.Canceled) || !ended() {
		t.Errorf("error %v", err)
	}
	_ = c
}

// Publishers that share a channel note the numbers of their messages in any order, and some
// may be given to messages that they do not see.
func TestNumbersOfMessages(t *testing.T) {
	every := func(step, n uint64) (given []uint64) {
		for i := range n {
			given = append(given, i*step+1)
		}
		return given
	}
	for name, tt := range map[string]struct {
		given []uint64
		want  uint64
	}{
		"none":          {nil, 0},
		"in order":      {every(1, 200), 200},
		"out of order":  {[]uint64{1, 3, 4, 2, 6}, 4},
		"from later on": {[]uint64{7, 9, 8}, 9},
		"again":         {[]uint64{1, 2, 3, 2}, 3},
		"with gaps":     {every(2, 66), 131},
	} {
		if got := amqptrace.UpTo(tt.given); got != tt.want {
			t.Errorf("%s: up to %d, want %d", name, got, tt.want)
		}
	}
}
