package amqptrace

import (
	"context"
	"runtime"

	amqp "github.com/rabbitmq/amqp091-go"
)

// PublishConfirmed publishes a message and waits until the broker has confirmed it. The
// channel must be in confirm mode. The PRODUCER span covers the wait and records the
// outcome (mqtrace.publish.outcome).
//
// The error is nil if the broker has taken the message and, with mandatory, has routed it
// to a queue. Otherwise errors.Is matches it with [ErrNacked], [ErrReturned], [ErrClosed]
// or [ErrNotConfirming], or it is the channel's error if the message could not be sent, or
// the context's error if the context ended first, in which case the message may still
// arrive.
//
// On a connection that amqp091-go recovers, nothing is sent from the closing of the channel
// until it is in confirm mode again: while the channel is closed the error is ErrClosed,
// and while it is being reopened the message waits, for 5 s at most. This requires that
// everything published on the channel goes through publishers of this package: amqp091-go
// counts messages that are sent in between and RabbitMQ does not, so from then on each
// confirmation is attributed to the wrong message. If a publisher cannot rule this out, it
// trusts no confirmation until the channel is closed the next time: the error is ErrClosed
// and the outcome unknown.
//
// A deadline of ctx ends the wait for the confirmation but not the write to the connection,
// which takes no context. A broker that stops reading, as under a memory alarm, blocks the
// write once the socket's buffers are full. To bound that too, have amqp.Config's Dial
// return a connection whose Write sets a deadline.
//
// With many messages in flight at once, [Publisher.PublishDeferred] is many times faster.
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

// PublishDeferred publishes a message and returns a [Confirmation] to wait on. The channel
// must be in confirm mode; if it is not, the message is sent all the same and the error is
// [ErrNotConfirming]. All other errors mean that the message was not sent: the channel's own
// and, while amqp091-go recovers the channel, [ErrClosed] or the context's. If the error is
// not nil, the confirmation is nil.
//
// The PRODUCER span ends when [Confirmation.Wait] returns, or when the confirmation is
// garbage collected.
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

// Confirmation stands for the broker's confirmation of one message.
// [Publisher.PublishDeferred] returns one.
//
// A copy of a Confirmation is the same confirmation.
type Confirmation struct {
	held *held
}

// held is shared by all copies of a confirmation. When it becomes unreachable, the span
// ends.
type held struct {
	pending *pending
	cleanup runtime.Cleanup
}

// Wait waits until the broker has confirmed the message or ctx is done. The error is as for
// [Publisher.PublishConfirmed]. It may be called repeatedly and from several goroutines;
// the span records the first outcome. If c is nil, Wait returns [ErrNotConfirming], although
// nothing may have been sent: do not ignore the error of PublishDeferred.
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

// outcome is the outcome of a confirmed publish.
type outcome string

const (
	outcomeAcked       outcome = "acked"
	outcomeNacked      outcome = "nacked"
	outcomeReturned    outcome = "returned"
	outcomeClosed      outcome = "closed"      // the channel was closed before there was a confirmation
	outcomeTimeout     outcome = "timeout"     // the context ended before there was one
	outcomeUnconfirmed outcome = "unconfirmed" // nobody waited, or no confirm mode
	outcomeUnknown     outcome = "unknown"     // the confirmation may belong to another message
)
