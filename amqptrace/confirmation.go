package amqptrace

import (
	"context"
	"errors"
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
// On a connection that amqp091-go recovers, nothing is sent from the closing of the channel
// until it is in confirm mode again: the error is ErrClosed while the channel is closed, and
// while it is being opened the message waits, for 5 s at most. This holds as long as
// everything that is published on the channel goes through publishers of this package.
// amqp091-go counts what is sent meanwhile and RabbitMQ does not, and from then on takes each
// confirmation for that of another message. Where a publisher cannot rule this out, it
// believes no confirmation until the channel is closed the next time: the error is ErrClosed
// and the outcome unknown.
//
// A deadline of ctx ends the wait for the confirmation, not the writing to the connection,
// which knows no context. A broker that reads nothing, as under a memory alarm, holds it up
// once the buffers of the socket are full. To bound that too, have amqp.Config's Dial return
// a connection whose Write sets a deadline.
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
	h := &held{pending: s}
	h.cleanup = runtime.AddCleanup(h, (*pending).forget, s)
	return &Confirmation{h}, nil
}

// Confirmation is what the broker will say of one message. Get one from
// [Publisher.PublishDeferred].
//
// A copy of a Confirmation is the same confirmation.
type Confirmation struct {
	held *held
}

// held is what all copies of a confirmation hold. When nobody holds it any more, the span
// ends.
type held struct {
	pending *pending
	cleanup runtime.Cleanup
}

// Wait waits until the broker has confirmed the message or ctx is done. Its error is
// that of [Publisher.PublishConfirmed]. It may be called from several goroutines and
// again; the span records the first outcome.
func (c *Confirmation) Wait(ctx context.Context) error {
	if c == nil || c.held == nil {
		return ErrNotConfirming // of a PublishDeferred that returned an error
	}
	h := c.held
	err := h.pending.wait(ctx)
	if isResolved(h.pending.confirmed) {
		h.cleanup.Stop()
	}
	runtime.KeepAlive(h)
	return err
}

// pending is a message that was sent and not confirmed yet.
type pending struct {
	sending

	publisher *Publisher
	confirmed *amqp.DeferredConfirmation
	at        moment // of the channel, before the message was sent
	unknown   bool   // what is heard of it may be of another message
	id        string // by which its return is known, empty if it is not mandatory

	ended sync.Once // the span

	resolving sync.Once
	result    error
}

// publishDeferred returns an error after having ended the span with it.
func (p *Publisher) publishDeferred(
	ctx context.Context, exchange, key string, mandatory, immediate bool, msg amqp.Publishing,
) (_ *pending, err error) {
	if ctx == nil {
		ctx = context.Background()
	}
	p.state.listen(p.channel)
	s := &pending{publisher: p}
	ctx = p.start(ctx, exchange, key, &msg, &s.sending)
	sent, returned := false, false
	defer func() {
		if !sent { // an error, or a panic of the channel's
			s.forgetReturn()
			s.end(err, returned)
		}
	}()
	if s.at, err = p.state.await(ctx, p.channel); err != nil {
		returned = true
		return nil, err
	}
	p.inject(ctx, &s.sending, &msg)
	if mandatory {
		s.id = p.state.expect(msg.Headers)
	}
	s.confirmed, err = p.channel.PublishWithDeferredConfirmWithContext(ctx, exchange, key, mandatory, immediate, msg)
	returned = true
	if err != nil {
		err = p.explain(err)
		return nil, err
	}
	sent = true
	if s.confirmed == nil {
		s.forgetReturn()
		s.finish(ErrNotConfirming, outcomeUnconfirmed)
		return nil, ErrNotConfirming
	}
	s.unknown = p.state.mayBeOfAnother(s.at, s.confirmed, p.channel)
	return s, nil
}

// explain returns the error of the host with the reason why the channel was closed, if it
// says no more than that it is.
func (p *Publisher) explain(err error) error {
	if !errors.Is(err, amqp.ErrClosed) {
		return err
	}
	return withReason(err, p.state.why())
}

func (s *pending) wait(ctx context.Context) error {
	if ctx == nil {
		ctx = context.Background()
	}
	if !isResolved(s.confirmed) {
		select {
		case <-s.confirmed.Done():
		case <-ctx.Done():
			if isResolved(s.confirmed) {
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

// resolve says what became of a message that is no longer pending. Of all that the
// channel resolves as not acked, only some is a refusal.
func (s *pending) resolve() (outcome, error) {
	p := s.publisher
	if r := p.state.take(s.id); r != nil {
		return outcomeReturned, &ReturnedError{Return: *r}
	}
	if s.unknown || !p.state.trusts(s.at) {
		return outcomeUnknown, errUnknown
	}
	if s.confirmed.Acked() {
		return outcomeAcked, nil
	}
	p.state.readAll()
	if p.state.closedSince(s.at) || isClosed(p.channel) {
		return outcomeClosed, p.state.closedError()
	}
	return outcomeNacked, ErrNacked
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
	if isResolved(s.confirmed) {
		o, _ = s.resolve()
	}
	s.forgetReturn()
	s.untimed = true
	s.finish(nil, o)
}

func (s *pending) forgetReturn() { s.publisher.state.forget(s.id) }

// outcome is what became of a confirmed publish.
type outcome string

const (
	outcomeAcked       outcome = "acked"
	outcomeNacked      outcome = "nacked"
	outcomeReturned    outcome = "returned"
	outcomeClosed      outcome = "closed"      // the channel, before there was a confirmation
	outcomeTimeout     outcome = "timeout"     // the context ended before there was one
	outcomeUnconfirmed outcome = "unconfirmed" // nobody waited, or no confirm mode
	outcomeUnknown     outcome = "unknown"     // a confirmation that may be of another message
)
