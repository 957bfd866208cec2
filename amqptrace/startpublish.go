package amqptrace

import (
	"context"
	"errors"

	amqp "github.com/rabbitmq/amqp091-go"
)

// StartPublish starts the PRODUCER span of a message that something else than the
// publisher's channel sends, such as a library around amqp091-go, and gives msg a copy of
// its headers with the span's context. Of msg, the headers, the identifiers, the type, the
// application and the size of the body matter. The publisher's channel may be nil.
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

// Sent is a message that [Publisher.StartPublish] has started to publish. Its methods are
// for one goroutine. They work on nil, and where a filter has left the message alone.
type Sent struct {
	sending  sending
	err      error
	returned bool
	outcome  outcome
}

// Result notes the error of what sent the message, and returns it. It is for what does not
// wait for the broker, or cannot tell a message that was returned from one that was routed:
// what became of the message is not known then, and the span says nothing of it.
func (s *Sent) Result(err error) error {
	if s != nil {
		s.err, s.returned = err, true
	}
	return err
}

// Confirmed is [Sent.Result] for what has waited for the broker's confirmation as well. The
// outcome (mqtrace.publish.outcome) is acked if err is nil, else by errors.Is nacked
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
	case errors.Is(err, ErrReturned):
		return outcomeReturned
	case errors.Is(err, ErrNacked):
		return outcomeNacked
	case errors.Is(err, ErrNotConfirming):
		return outcomeUnconfirmed
	case errors.Is(err, amqp.ErrClosed):
		return outcomeClosed
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return outcomeTimeout
	default:
		return outcomeUnknown
	}
}

// End ends the span. Without a result it is that of a call that did not return, because it
// panicked. Only the first call counts.
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
