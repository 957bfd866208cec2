package amqptrace

import (
	"context"
	"runtime"
	"sync"

	amqp "github.com/rabbitmq/amqp091-go"
)

// PublishConfirmed publishes a message and waits until the broker has confirmed it.
// The channel must be in confirm mode. The PRODUCER span covers the wait and tells
// the outcome (mqtrace.publish.outcome).
//
// The error is nil once the broker has the message, and with mandatory once a queue
// has it. It is [ErrNacked], [ErrReturned], [ErrClosed] or [ErrNotConfirming] by
// errors.Is, the context's own if that ended first, in which case the message may
// still arrive, or the channel's own if the message could not be sent.
//
// Give ctx a deadline: on a connection that amqp091-go recovers, a message published
// during the recovery may go out before the new channel is in confirm mode, and no
// confirmation comes.
//
// Where many messages are under way at once, [Publisher.PublishDeferred] is many
// times faster.
func (p *Publisher) PublishConfirmed(
	ctx context.Context, exchange, key string, mandatory, immediate bool, msg amqp.Publishing,
) error {
	s, err := p.publishDeferred(ctx, exchange, key, mandatory, immediate, msg)
	if err != nil {
		return err
	}
	defer s.forgetReturn()
	return s.wait(ctx)
}

// PublishDeferred publishes a message and returns what to wait for its confirmation
// with. The channel must be in confirm mode; where it is not, the message is sent all
// the same and the error is [ErrNotConfirming]. Other errors are the channel's own
// and mean that the message was not sent.
//
// The PRODUCER span ends when [Confirmation.Wait] returns, or when nobody holds the
// confirmation any more.
func (p *Publisher) PublishDeferred(
	ctx context.Context, exchange, key string, mandatory, immediate bool, msg amqp.Publishing,
) (*Confirmation, error) {
	s, err := p.publishDeferred(ctx, exchange, key, mandatory, immediate, msg)
	if err != nil {
		return nil, err
	}
	c := &Confirmation{pending: s}
	// A confirmation that is forgotten ends its span when it is collected.
	c.cleanup = runtime.AddCleanup(c, (*pending).forget, s)
	return c, nil
}

// Confirmation is what the broker will say of one message. Get one from
// [Publisher.PublishDeferred].
type Confirmation struct {
	pending *pending
	cleanup runtime.Cleanup
}

// Wait waits until the broker has confirmed the message or ctx is done. Its error is
// that of [Publisher.PublishConfirmed]. It may be called from several goroutines and
// again; the span records the first outcome.
func (c *Confirmation) Wait(ctx context.Context) error {
	if c == nil || c.pending == nil {
		return ErrNotConfirming // of a PublishDeferred that returned an error
	}
	err := c.pending.wait(ctx)
	if c.pending.isResolved() {
		c.cleanup.Stop()
	}
	runtime.KeepAlive(c)
	return err
}

// pending is a message that was sent and not confirmed yet.
type pending struct {
	sending

	publisher *Publisher
	confirmed *amqp.DeferredConfirmation
	closings  int    // of the channel, when the message was sent
	id        string // by which its return is known, empty if it is not mandatory

	ended sync.Once // the span

	resolving sync.Once
	result    error
}

// publishDeferred returns an error after having ended the span with it.
func (p *Publisher) publishDeferred(
	ctx context.Context, exchange, key string, mandatory, immediate bool, msg amqp.Publishing,
) (_ *pending, err error) {
	s := &pending{publisher: p, closings: p.closings.count(p.channel)}
	ctx, s.sending = p.start(ctx, exchange, key, &msg)
	sent, returned := false, false
	defer func() {
		if !sent { // an error, or a panic of the channel's
			s.forgetReturn()
			s.end(err, returned)
		}
	}()
	p.inject(ctx, &msg)
	if mandatory {
		s.id = p.returns.expect(p.channel, msg.Headers)
	}
	s.confirmed, err = p.channel.PublishWithDeferredConfirmWithContext(ctx, exchange, key, mandatory, immediate, msg)
	returned = true
	if err != nil {
		return nil, err
	}
	sent = true
	if s.confirmed == nil {
		s.forgetReturn()
		s.finish(ErrNotConfirming, outcomeUnconfirmed)
		return nil, ErrNotConfirming
	}
	return s, nil
}

func (s *pending) wait(ctx context.Context) error {
	if ctx == nil {
		ctx = context.Background()
	}
	if !s.isResolved() {
		select {
		case <-s.confirmed.Done():
		case <-ctx.Done():
			if s.isResolved() {
				break // both at once, and the broker's answer says more
			}
			s.finish(ctx.Err(), outcomeTimeout)
			return ctx.Err()
		}
	}
	s.resolving.Do(func() {
		var o outcome
		o, s.result = s.resolve()
		s.forgetReturn()
		s.finish(s.result, o)
	})
	return s.result
}

func (s *pending) isResolved() bool {
	select {
	case <-s.confirmed.Done():
		return true
	default:
		return false
	}
}

// resolve says what became of a message that is no longer pending. Of all that the
// channel resolves as not acked, only some is a refusal.
func (s *pending) resolve() (outcome, error) {
	if r := s.publisher.returns.take(s.id); r != nil {
		return outcomeReturned, &ReturnedError{Return: *r}
	}
	switch {
	case s.confirmed.Acked():
		return outcomeAcked, nil
	case s.publisher.closings.since(s.closings, s.publisher.channel):
		return outcomeClosed, ErrClosed
	default:
		return outcomeNacked, ErrNacked
	}
}

// finish ends the span, the first time.
func (s *pending) finish(err error, o outcome) {
	s.ended.Do(func() { s.end(err, true, publishOutcomeKey.String(string(o))) })
}

// forget ends the span of a message whose confirmation nobody has waited for. Nobody
// has asked, so whatever it was is not a failure of the publish, and the time until
// the garbage was collected is not its duration.
func (s *pending) forget() {
	o := outcomeUnconfirmed
	if s.isResolved() {
		o, _ = s.resolve()
	}
	s.forgetReturn()
	s.untimed = true
	s.finish(nil, o)
}

func (s *pending) forgetReturn() { s.publisher.returns.forget(s.id) }

// outcome is what became of a confirmed publish.
type outcome string

const (
	outcomeAcked       outcome = "acked"
	outcomeNacked      outcome = "nacked"
	outcomeReturned    outcome = "returned"
	outcomeClosed      outcome = "closed"      // the channel, before there was a confirmation
	outcomeTimeout     outcome = "timeout"     // the context ended before there was one
	outcomeUnconfirmed outcome = "unconfirmed" // nobody waited, or no confirm mode
)
