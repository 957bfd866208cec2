package amqptrace_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/mqtrace/mqtrace/amqptrace"
	"github.com/mqtrace/mqtrace/internal/amqpbroker"
)

// Hundreds of messages in flight, of two publishers on one channel and a tracer without
// ids: each confirmation is for its own message.
func TestConfirmationsInFlight(t *testing.T) {
	onBrokers(t, func(t *testing.T, ch *amqp.Channel) {
		exchange, _, _ := topology(t, ch)
		if err := ch.Confirm(false); err != nil {
			t.Fatal(err)
		}
		rec := newRecorder(t)
		publishers := []*amqptrace.Publisher{
			amqptrace.NewPublisher(ch, rec.options()...),
			amqptrace.NewPublisher(ch, amqptrace.WithTracerProvider(noop.NewTracerProvider())),
		}
		const n = 600
		type sent struct {
			confirmation *amqptrace.Confirmation
			returned     bool
		}
		var all []sent
		for i := range n {
			key, mandatory := "k", i%3 != 2
			if i%3 == 1 {
				key = "nowhere"
			}
			c, err := publishers[i%2].PublishDeferred(context.Background(), exchange, key, mandatory, false,
				amqp.Publishing{MessageId: fmt.Sprint(i), Body: []byte("body")})
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, sent{c, key == "nowhere"})
		}
		var wg sync.WaitGroup
		for i := range all { // from the last to the first, and several at a time
			c := all[n-1-i]
			for range 2 {
				wg.Go(func() {
					err := c.confirmation.Wait(context.Background())
					if c.returned != errors.Is(err, amqptrace.ErrReturned) || !c.returned && err != nil {
						t.Errorf("error %v, returned: %v", err, c.returned)
					}
					var r *amqptrace.ReturnedError
					if errors.As(err, &r) && r.Return.MessageId != fmt.Sprint(n-1-i) {
						t.Errorf("message %d got the return of message %s", n-1-i, r.Return.MessageId)
					}
					if r != nil && r.Return.Body != nil {
						t.Error("the body that the sender has is kept a second time")
					}
				})
			}
		}
		wg.Wait()
		if len(rec.Ended()) != n/2 {
			t.Errorf("%d spans, want %d", len(rec.Ended()), n/2)
		}
		for _, p := range publishers {
			if kept := p.Expected(); kept != 0 {
				t.Errorf("%d messages are still expected to be returned", kept)
			}
		}
	})
}

// Even if nobody waits, the returns are read and the spans end.
func TestForgottenConfirmations(t *testing.T) {
	onURLs(t, func(t *testing.T, url string) {
		exchange, _, _ := topology(t, open(t, url))
		ch := open(t, url)
		if err := ch.Confirm(false); err != nil {
			t.Fatal(err)
		}
		rec := newRecorder(t)
		pub := amqptrace.NewPublisher(ch, rec.options()...)
		const n = 300
		for range n {
			if _, err := pub.PublishDeferred(context.Background(), exchange, "nowhere", true, false, amqp.Publishing{}); err != nil {
				t.Fatal(err)
			}
		}
		// Returns do not block the connection.
		if _, err := ch.QueueDeclarePassive(unique("none"), false, false, false, false, nil); err == nil {
			t.Error("no error")
		}
		for deadline := time.Now().Add(patience); len(rec.Ended()) < n && time.Now().Before(deadline); {
			runtime.GC()
			time.Sleep(10 * time.Millisecond)
		}
		if len(rec.Ended()) != n {
			t.Fatalf("%d of %d spans have ended", len(rec.Ended()), n)
		}
		for _, s := range rec.Ended() {
			if o := attributes(s)["mqtrace.publish.outcome"]; s.Status().Code != codes.Unset || o != "returned" && o != "unconfirmed" {
				t.Fatalf("status %v, outcome %v", s.Status(), o)
			}
		}
		runtime.KeepAlive(pub)
	})
}

// A timeout is one answer, and the broker's comes later. The span has the first.
func TestWaitAgain(t *testing.T) {
	// The broker's answer about the message, its return and its confirmation, is delayed
	// for as long as the test wants.
	said := make(chan struct{})
	b, err := amqpbroker.Start(amqpbroker.WithFrameHook(func(f amqpbroker.Frame) {
		if classBasic := []byte{0, 60}; !f.FromClient && f.Type == 1 && bytes.HasPrefix(f.Payload, classBasic) {
			<-said
		}
	}))
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	hear := sync.OnceFunc(func() { close(said) })
	defer hear()
	ch := open(t, b.URL())
	if err := ch.Confirm(false); err != nil {
		t.Fatal(err)
	}
	rec := newRecorder(t)
	c, err := amqptrace.NewPublisher(ch, rec.options()...).PublishDeferred(
		context.Background(), "", "nowhere", true, false, amqp.Publishing{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
	defer cancel()
	if err := c.Wait(ctx); err != ctx.Err() || err == nil {
		t.Errorf("error %v, want the context's own", err)
	}
	hear()
	for range 2 {
		var noContext context.Context
		if err := c.Wait(noContext); !errors.Is(err, amqptrace.ErrReturned) {
			t.Errorf("error %v", err)
		}
	}
	if got := attributes(rec.only(t))["mqtrace.publish.outcome"]; got != "timeout" {
		t.Errorf("outcome %v", got)
	}
	if err := (*amqptrace.Confirmation)(nil).Wait(ctx); err != amqptrace.ErrNotConfirming {
		t.Errorf("nil confirmation: %v", err)
	}
	if err := new(amqptrace.Confirmation).Wait(ctx); err != amqptrace.ErrNotConfirming {
		t.Errorf("empty confirmation: %v", err)
	}
}

// A channel that amqp091-go has recovered is open again, and what it had not
// confirmed is neither acked nor refused.
func TestConfirmationOfARecoveredChannel(t *testing.T) {
	b, err := amqpbroker.Start()
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	conn, err := amqp.DialConfig(b.URL(), amqp.Config{Recovery: &amqp.Recovery{
		ReconnectionConfig: &amqp.ReconnectionConfig{MaxRetryCount: 50, RetryInterval: 10 * time.Millisecond},
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	ch, err := conn.Channel()
	if err != nil {
		t.Fatal(err)
	}
	if err := ch.Confirm(false); err != nil {
		t.Fatal(err)
	}
	changes := make(chan *amqp.StateChanged, 10)
	ch.NotifyStateChange(changes)
	rec := newRecorder(t)
	pub := amqptrace.NewPublisher(ch, rec.options()...)
	if err := pub.PublishConfirmed(context.Background(), "", "nowhere", false, false, amqp.Publishing{}); err != nil {
		t.Fatal(err)
	}
	for round := range 3 {
		b.DelayConfirms(time.Minute)
		c, err := pub.PublishDeferred(context.Background(), "", "nowhere", round == 1, false, amqp.Publishing{})
		if err != nil {
			t.Fatal(err)
		}
		b.CutConnections()
		b.DelayConfirms(0)
		if err := c.Wait(context.Background()); !errors.Is(err, amqptrace.ErrClosed) && !errors.Is(err, amqptrace.ErrReturned) {
			t.Errorf("error %v, want ErrClosed", err)
		}
		// Not before: what is published while the host recovers may go out before the
		// new channel is in confirm mode, and its confirmation never comes.
		for change := range changes {
			if change.To == amqp.StateOpen {
				break
			}
		}
		b.RefuseConfirms(true)
		if err := pub.PublishConfirmed(context.Background(), "", "nowhere", true, false, amqp.Publishing{}); !errors.Is(err, amqptrace.ErrNacked) {
			t.Errorf("error %v, want ErrNacked from the recovered channel", err)
		}
		b.RefuseConfirms(false)
	}
	if len(rec.Started()) != len(rec.Ended()) {
		t.Errorf("%d spans started and %d ended", len(rec.Started()), len(rec.Ended()))
	}
}

// The host's own failures, for every method.
func TestConfirmedPublishThatPanicsOrFails(t *testing.T) {
	for name, publish := range map[string]func(*amqptrace.Publisher) error{
		"confirmed": func(p *amqptrace.Publisher) error {
			return p.PublishConfirmed(context.Background(), "x", "k", true, false, amqp.Publishing{})
		},
		"deferred": func(p *amqptrace.Publisher) error {
			_, err := p.PublishDeferred(context.Background(), "x", "k", true, false, amqp.Publishing{})
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			rec := newRecorder(t)
			failure := customError{}
			if err := publish(amqptrace.NewPublisher(&channel{err: failure}, rec.options()...)); err != error(failure) {
				t.Errorf("error %v, want the host's own", err)
			}
			if s := rec.only(t); s.Status().Code != codes.Error || attributes(s)["mqtrace.publish.outcome"] != nil {
				t.Errorf("status %v, attributes %v", s.Status(), attributes(s))
			}
			rec.Reset()
			func() {
				defer func() {
					if r := recover(); r != "host" {
						t.Errorf("recovered %v", r)
					}
				}()
				_ = publish(amqptrace.NewPublisher(&channel{panics: "host"}, rec.options()...))
			}()
			if s := rec.only(t); attributes(s)["error.type"] != "panic" {
				t.Errorf("attributes %v", attributes(s))
			}
		})
	}
}

// A message that is published again does not carry headers of its first publish.
func TestMarksOfAnEarlierPublishAreRemoved(t *testing.T) {
	ch := &channel{}
	headers := amqp.Table{"mqtrace-publish-id": "old", "mqtrace-sent-at": "1"}
	if err := amqptrace.NewPublisher(ch).PublishWithContext(
		context.Background(), "x", "k", false, false, amqp.Publishing{Headers: headers}); err != nil {
		t.Fatal(err)
	}
	if got := ch.published[0].msg.Headers; len(got) != 0 {
		t.Errorf("published %v", got)
	}
	if len(headers) != 2 {
		t.Errorf("the caller's headers became %v", headers)
	}
}
