package amqptrace_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/mqtrace/mqtrace/amqptrace"
	"github.com/mqtrace/mqtrace/internal/amqpbroker"
)

// Channels of a program's own types stand in for the host's.

// reconnecting has a new channel of the host after each failure, as libraries do that are
// older than the host's recovery.
type reconnecting struct{ *amqp.Channel }

// forwarding also keeps the listeners of closings, and reports nothing else.
type forwarding struct {
	mu     sync.Mutex
	host   *amqp.Channel
	closes []chan *amqp.Error
}

func (f *forwarding) PublishWithDeferredConfirmWithContext(
	ctx context.Context, exchange, key string, mandatory, immediate bool, msg amqp.Publishing,
) (*amqp.DeferredConfirmation, error) {
	return f.host.PublishWithDeferredConfirmWithContext(ctx, exchange, key, mandatory, immediate, msg)
}

func (f *forwarding) IsClosed() bool { return f.host.IsClosed() }

func (f *forwarding) NotifyClose(c chan *amqp.Error) chan *amqp.Error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closes = append(f.closes, c)
	return c
}

// Confirmations are trusted again once a wrapper has reconnected.
func TestWrapperThatReconnects(t *testing.T) {
	b, err := amqpbroker.Start()
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	wrapper := &reconnecting{confirming(t, b)}
	t.Run("with a new channel", func(t *testing.T) {
		checkReconnects(t, b, wrapper, func() {
			for range wrapper.NotifyClose(make(chan *amqp.Error, 1)) { // until all listeners know
			}
			wrapper.Channel = confirming(t, b)
		})
	})
	forwarder := &forwarding{host: confirming(t, b)}
	t.Run("with its listeners", func(t *testing.T) {
		checkReconnects(t, b, forwarder, func() {
			forwarder.host = confirming(t, b)
			forwarder.closes[0] <- &amqp.Error{Code: amqp.ConnectionForced, Reason: "lost"}
		})
		close(forwarder.closes[0])
	})
}

func checkReconnects(t *testing.T, b *amqpbroker.Broker, host interface {
	amqptrace.Channel
	IsClosed() bool
}, reconnect func(),
) {
	t.Helper()
	pub := amqptrace.NewPublisher(host, newRecorder(t).options()...)
	for range 3 {
		if err := pub.PublishConfirmed(context.Background(), "", "q", false, false, amqp.Publishing{}); err != nil {
			t.Error("confirmed:", err)
		}
		confirmation, err := pub.PublishDeferred(context.Background(), "", "q", false, false, amqp.Publishing{})
		if err == nil {
			err = confirmation.Wait(context.Background())
		}
		if err != nil {
			t.Error("deferred:", err)
		}
		b.CutConnections()
		for !host.IsClosed() {
			time.Sleep(time.Millisecond)
		}
		if err := pub.PublishConfirmed(context.Background(), "", "q", false, false, amqp.Publishing{}); !errors.Is(err, amqp.ErrClosed) {
			t.Errorf("while it is closed: error %v", err)
		}
		reconnect()
	}
}

func confirming(t *testing.T, b *amqpbroker.Broker) *amqp.Channel {
	t.Helper()
	ch := open(t, b.URL())
	if err := ch.Confirm(false); err != nil {
		t.Fatal(err)
	}
	return ch
}

// down is a wrapper whose channel is closed. It keeps listeners of returns for its next one.
type down struct{ returns int }

func (*down) PublishWithDeferredConfirmWithContext(
	context.Context, string, string, bool, bool, amqp.Publishing,
) (*amqp.DeferredConfirmation, error) {
	return nil, amqp.ErrClosed
}

func (d *down) NotifyReturn(c chan amqp.Return) chan amqp.Return {
	d.returns++
	return c
}

func (*down) NotifyClose(c chan *amqp.Error) chan *amqp.Error {
	close(c)
	return c
}

// Publishing on a wrapper that is down adds no listener each time, nor a goroutine that reads
// it, which the package's check for leaks would find.
func TestWrapperThatIsDown(t *testing.T) {
	host := new(down)
	pub := amqptrace.NewPublisher(host, newRecorder(t).options()...)
	for range 10 {
		err := pub.PublishConfirmed(context.Background(), "", "q", true, false, amqp.Publishing{})
		if !errors.Is(err, amqp.ErrClosed) { // the wrapper's own
			t.Errorf("error %v, want %v", err, amqp.ErrClosed)
		}
	}
	if host.returns > 0 {
		t.Errorf("%d listeners of returns", host.returns)
	}
}

// pool publishes on its channels in turn, each of which counts messages for itself.
type pool struct {
	channels []*amqp.Channel
	next     int
}

func (p *pool) PublishWithDeferredConfirmWithContext(
	ctx context.Context, exchange, key string, mandatory, immediate bool, msg amqp.Publishing,
) (*amqp.DeferredConfirmation, error) {
	p.next++
	return p.channels[p.next%len(p.channels)].PublishWithDeferredConfirmWithContext(ctx, exchange, key, mandatory, immediate, msg)
}

// A pool gives the same number to several messages, which must not be held for that.
func TestPoolOfChannels(t *testing.T) {
	b, err := amqpbroker.Start()
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	p := new(pool)
	for range 4 {
		p.channels = append(p.channels, confirming(t, b))
	}
	took := func(host amqptrace.Channel) time.Duration {
		pub := amqptrace.NewPublisher(host, newRecorder(t).options()...)
		began := time.Now()
		for range 100 {
			if err := pub.PublishConfirmed(context.Background(), "", "q", false, false, amqp.Publishing{}); err != nil {
				t.Fatal(err)
			}
		}
		return time.Since(began)
	}
	// If each message were held for a moment, it would be about 50 times.
	if one, all := took(confirming(t, b)), took(p); all > 10*one {
		t.Errorf("100 messages took %v on the pool, and %v on one channel", all, one)
	}
}

// refusing panics when a listener is registered.
type refusing struct{ channel }

func (*refusing) NotifyReturn(chan amqp.Return) chan amqp.Return { panic("host") }

// If a wrapper panics, the next call does not wait for what will never come.
func TestListenerThatPanics(t *testing.T) {
	pub := amqptrace.NewPublisher(&refusing{}, newRecorder(t).options()...)
	publish := func() (panicked any, err error) {
		defer func() { panicked = recover() }()
		return nil, pub.PublishConfirmed(context.Background(), "", "q", false, false, amqp.Publishing{})
	}
	if panicked, _ := publish(); panicked != "host" {
		t.Errorf("panic %v", panicked)
	}
	ended := make(chan error, 1)
	go func() { _, err := publish(); ended <- err }()
	select {
	case err := <-ended:
		if !errors.Is(err, amqptrace.ErrNotConfirming) {
			t.Errorf("error %v", err)
		}
	case <-time.After(patience):
		t.Error("the second call does not return")
	}
}
