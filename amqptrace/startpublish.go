package amqptrace

import (
	"context"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/mqtrace/mqtrace/internal/messaging"
)

// StartPublish starts the PRODUCER span of a message that is not sent through the
// publisher's channel but, for instance, by a library around amqp091-go, and replaces the
// headers of msg with a copy that carries the span's context. It uses the headers,
// identifiers, type, application and body size of msg. The publisher's channel may be nil.
//
//	ctx, sent := pub.StartPublish(ctx, "orders", "order.created", &msg)
//	defer sent.End()
//	return sent.Result(send(ctx, msg))
func (p *Publisher) StartPublish(
	ctx context.Context, exchange, key string, msg *amqp.Publishing,
) (context.Context, *Sent) {
	if ctx == nil {
		ctx = context.Background()
	}
	if msg == nil {
		msg = new(amqp.Publishing)
	}
	s := new(Sent)
	ctx = p.start(ctx, exchange, key, msg, &s.sending)
	p.inject(ctx, &s.sending, msg)
	return ctx, s
}

// Sent is a message that [Publisher.StartPublish] has started to publish. Its methods must
// not be called concurrently. They work on nil and for a message that a filter excludes.
type Sent struct {
	sending  sending
	err      error
	returned bool
	outcome  outcome
}

// Result records the error of sending the message and returns it. Use it if the sender does
// not wait for the broker, or cannot distinguish returned messages from routed ones: the
// outcome is then unknown, and the span has none.
func (s *Sent) Result(err error) error {
	if s != nil {
		s.err, s.returned = err, true
	}
	return err
}

// Confirmed is [Sent.Result] for a sender that has waited for the broker's confirmation.
// The outcome (mqtrace.publish.outcome) is acked if err is nil, else, by errors.Is, nacked
// ([ErrNacked]), returned ([ErrReturned]), closed (amqp.ErrClosed), unconfirmed
// ([ErrNotConfirming]), timeout (the context's errors), or unknown.
func (s *Sent) Confirmed(err error) error {
	if s != nil {
		s.outcome = outcomeOf(err)
	}
	return s.Result(err)
}

func outcomeOf(err error) outcome {
	switch {
	case err == nil:
		return outcomeAcked
	case messaging.Is(err, ErrReturned):
		return outcomeReturned
	case messaging.Is(err, ErrNacked):
		return outcomeNacked
	case messaging.Is(err, ErrNotConfirming):
		return outcomeUnconfirmed
	case messaging.Is(err, amqp.ErrClosed):
		return outcomeClosed
	case messaging.Is(err, context.DeadlineExceeded), messaging.Is(err, context.Canceled):
		return outcomeTimeout
	default:
		return outcomeUnknown
	}
}

// End ends the span. If there was no result, the span records a panic. Only the first call
// counts.
func (s *Sent) End() {
	if s == nil {
		return
	}
	if s.outcome != "" {
		s.sending.end(s.err, s.returned, publishOutcomeKey.String(string(s.outcome)))
	} else {
		s.sending.end(s.err, s.returned)
	}
	s.sending.span = nil
}
