package attributes_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/mqtrace/mqtrace/amqptrace"
)

// publish produces every outcome of a publish.
func (s *amqpScene) publish() {
	pub := s.publisher(s.ch)
	publish := func(ctx context.Context, exchange, key string) error {
		return pub.PublishConfirmed(ctx, exchange, key, true, false, message)
	}
	s.ok(publish(ctx, exchange, key))
	s.is(publish(ctx, exchange, "nobody"), amqptrace.ErrReturned)
	s.ok(publish(amqptrace.WithoutPropagation(ctx), exchange, key))
	s.broker.RefuseConfirms(true)
	s.is(publish(ctx, exchange, key), amqptrace.ErrNacked)
	s.broker.RefuseConfirms(false)
	s.is(s.publisher(s.channel()).PublishConfirmed(ctx, exchange, key, false, false, message), amqptrace.ErrNotConfirming)

	s.broker.DelayConfirms(time.Hour)
	ch := s.channel()
	s.ok(ch.Confirm(false))
	pending, err := s.publisher(ch).PublishDeferred(ctx, exchange, key, false, false, message)
	s.ok(err)
	other, err := s.publisher(ch).PublishDeferred(ctx, exchange, key, false, false, message)
	s.ok(err)
	past, cancel := context.WithDeadline(ctx, time.Now())
	defer cancel()
	s.is(other.Wait(past), context.DeadlineExceeded)
	s.ok(ch.Close())
	s.is(pending.Wait(ctx), amqptrace.ErrClosed)
	s.broker.DelayConfirms(0)

	ch = s.channel()
	s.ok(ch.Confirm(false))
	host := &recovering{Channel: ch}
	pub = s.publisher(host)
	s.ok(pub.PublishConfirmed(ctx, exchange, key, false, false, message))
	host.states <- &amqp.StateChanged{From: amqp.StateReconnecting, To: amqp.StateOpen}
	for began := time.Now(); ; {
		if err := pub.PublishConfirmed(ctx, exchange, key, false, false, message); errors.Is(err, amqptrace.ErrClosed) {
			break
		}
		if time.Since(began) > patience {
			s.Fatal("no outcome is unknown")
		}
	}
}

// recovering is a channel that reports having been recovered.
type recovering struct {
	*amqp.Channel

	states chan *amqp.StateChanged
}

func (r *recovering) NotifyStateChange(c chan *amqp.StateChanged) { r.states = c }

// channelFunc is a channel that calls the function.
type channelFunc func() error

func (f channelFunc) PublishWithDeferredConfirmWithContext(
	context.Context, string, string, bool, bool, amqp.Publishing,
) (*amqp.DeferredConfirmation, error) {
	return nil, f()
}

// A user's errors, with error types of their own.
type (
	typed  struct{}
	broken struct{}
)

func (typed) Error() string      { return "card declined" }
func (typed) ErrorType() string  { return "card_declined" }
func (broken) Error() string     { return "" }
func (broken) ErrorType() string { panic("no type") }

// fail makes a publish fail with every error type.
func (s *amqpScene) fail() {
	for code := 300; code < 600; code++ {
		switch code {
		case amqp.ContentTooLarge, amqp.NoRoute, amqp.NoConsumers, amqp.ConnectionForced, amqp.InvalidPath,
			amqp.AccessRefused, amqp.NotFound, amqp.ResourceLocked, amqp.PreconditionFailed, amqp.FrameError,
			amqp.SyntaxError, amqp.CommandInvalid, amqp.ChannelError, amqp.UnexpectedFrame, amqp.ResourceError,
			amqp.NotAllowed, amqp.NotImplemented, amqp.InternalError, 399:
			s.failWith(exchange, key, &amqp.Error{Code: code})
		}
	}
	for _, err := range []error{context.Canceled, context.DeadlineExceeded, errors.New("no route"), typed{}, broken{}} {
		s.failWith("", replies+".g1h2", err)
	}
	func() {
		defer func() { _ = recover() }()
		_ = s.publisher(channelFunc(func() error { panic("poison") })).PublishWithContext(ctx, exchange, key, false, false, message)
	}()
}

func (s *amqpScene) failWith(exchange, key string, want error) {
	s.Helper()
	host := channelFunc(func() error { return want })
	if err := s.publisher(host).PublishWithContext(ctx, exchange, key, false, false, message); fmt.Sprintf("%T", err) != fmt.Sprintf("%T", want) {
		s.Errorf("error %v, want %v", err, want)
	}
}
