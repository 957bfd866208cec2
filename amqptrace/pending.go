package amqptrace

import (
	"context"
	"sync"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/mqtrace/mqtrace/internal/messaging"
)

// pending is a message that was sent and not confirmed yet.
type pending struct {
	sending

	channel   Channel
	state     *channelState // of the channel
	confirmed *amqp.DeferredConfirmation
	at        moment // of the channel, before the message was sent
	unknown   bool   // its confirmation may belong to another message
	id        string // identifies its return, empty if it is not mandatory

	ended sync.Once // ends the span

	resolving sync.Once
	result    error
}

// publishDeferred ends the span before it returns an error.
func (p *Publisher) publishDeferred(
	ctx context.Context, exchange, key string, mandatory, immediate bool, msg amqp.Publishing,
) (_ *pending, err error) {
	if ctx == nil {
		ctx = context.Background()
	}
	state := p.current()
	state.listen(p.channel)
	s := &pending{channel: p.channel, state: state}
	ctx = p.start(ctx, exchange, key, &msg, &s.sending)
	sent, returned := false, false
	defer func() {
		if !sent { // an error or a panic of the channel
			s.forgetReturn()
			s.end(err, returned)
		}
	}()
	if s.at, err = state.await(ctx, p.channel); err != nil {
		returned = true
		return nil, err
	}
	p.inject(ctx, &s.sending, &msg)
	if mandatory {
		s.id = state.expect(msg.Headers)
	}
	s.confirmed, err = p.channel.PublishWithDeferredConfirmWithContext(ctx, exchange, key, mandatory, immediate, msg)
	returned = true
	if err != nil {
		err = state.explainSending(err)
		return nil, err
	}
	sent = true
	if s.confirmed == nil {
		s.forgetReturn()
		s.finish(ErrNotConfirming, outcomeUnconfirmed)
		return nil, ErrNotConfirming
	}
	s.unknown = state.mayBeOfAnother(s.at, s.confirmed, p.channel)
	return s, nil
}

// explainSending adds the reason why the channel was closed to a host's error that says only
// that it is closed.
func (s *channelState) explainSending(err error) error {
	if !messaging.Is(err, amqp.ErrClosed) {
		return err
	}
	return withReason(err, s.why())
}

func (s *pending) wait(ctx context.Context) error {
	if ctx == nil {
		ctx = context.Background()
	}
	if err := s.awaitAnswer(ctx); err != nil {
		s.finish(err, outcomeTimeout)
		return err
	}
	s.resolving.Do(func() {
		var o outcome
		o, s.result = s.resolve()
		s.forgetReturn()
		s.finish(s.result, o)
	})
	return s.result
}

// maxReturn is how long a mandatory message whose confirmation is not trusted waits for its
// return, which is recognized by its id and would be on its way.
const maxReturn = time.Second

// awaitAnswer waits for the broker's answer or for the end of ctx, whose error it returns. It
// also returns when no answer is to be expected: the channel has been closed, after which the
// host resolves confirmations only if it recovers the channel, or the confirmation may be that
// of another message, and its own may never come.
func (s *pending) awaitAnswer(ctx context.Context) error {
	for !isResolved(s.confirmed) {
		closed, trusted, change := s.state.outlook(s.at)
		var overdue <-chan time.Time
		switch {
		case closed:
			return nil
		case !s.unknown && trusted:
		case s.id == "" || s.at.gone:
			return nil
		default:
			overdue = time.After(maxReturn)
		}
		select {
		case <-s.confirmed.Done():
		case <-change:
		case <-overdue:
			return nil
		case <-ctx.Done():
			if !isResolved(s.confirmed) { // if both at once, the broker's answer says more
				return ctx.Err()
			}
		}
	}
	return nil
}

// resolve returns the outcome of a message that is no longer pending. Not everything that
// the channel resolves as not acked is a refusal.
func (s *pending) resolve() (outcome, error) {
	if r := s.state.take(s.id); r != nil {
		return outcomeReturned, &ReturnedError{Return: *r}
	}
	if _, trusted, _ := s.state.outlook(s.at); s.unknown || !trusted {
		return outcomeUnknown, errUnknown
	}
	if s.confirmed.Acked() {
		return outcomeAcked, nil
	}
	s.state.readAll()
	if closed, _, _ := s.state.outlook(s.at); closed || isClosed(s.channel) || s.isForgotten() {
		return outcomeClosed, s.state.closedError()
	}
	return outcomeNacked, ErrNacked
}

// isForgotten reports whether the host has begun to count messages anew. If the broker closes
// a channel while the host restores its topology, the host does not report the closing, and
// reports the recovery a moment later.
func (s *pending) isForgotten() bool {
	ch, ok := s.channel.(*amqp.Channel)
	return ok && ch.GetNextPublishSeqNo() <= s.confirmed.DeliveryTag
}

// finish ends the span the first time it is called.
func (s *pending) finish(err error, o outcome) {
	s.ended.Do(func() { s.end(err, true, publishOutcomeKey.String(string(o))) })
}

// forget ends the span of a message whose confirmation was never waited for. Since the
// outcome is not known, the publish has not failed, and the time until the garbage
// collection is not its duration.
func (s *pending) forget() {
	o := outcomeUnconfirmed
	if isResolved(s.confirmed) {
		o, _ = s.resolve()
	}
	s.forgetReturn()
	s.untimed = true
	s.finish(nil, o)
}

func (s *pending) forgetReturn() { s.state.forget(s.id) }
