// Package send publishes or enqueues one traced message.
package send

import (
	"context"
	"errors"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"go.opentelemetry.io/otel/trace"

	"github.com/mqtrace/mqtrace/amqptrace"
	"github.com/mqtrace/mqtrace/cmd/mqtrace/internal/tracecontext"
)

// Message is what to publish, and where.
type Message struct {
	Exchange, Key string
	// Mandatory makes it an error if no queue takes the message, which requires Confirm.
	Mandatory bool
	// Confirm waits until the broker has the message.
	Confirm    bool
	Publishing amqp.Publishing
}

// AMQP publishes the message on a channel of its own. It returns the message's span context
// if the message was handed to the broker, whatever became of it there.
//
// A broker that blocks publishers answers nothing, not even the closing of the channel, so
// the connection is closed if ctx ends first.
func AMQP(
	ctx context.Context, conn *amqp.Connection, provider trace.TracerProvider, m Message,
) (_ trace.SpanContext, err error) {
	defer context.AfterFunc(ctx, func() { _ = conn.CloseDeadline(time.Now()) })()
	defer func() {
		// An error after the end of ctx is only its consequence: the connection was closed.
		if cause := ctx.Err(); err != nil && cause != nil && !errors.Is(err, cause) {
			err = errors.Join(cause, err)
		}
	}()
	ch, err := conn.Channel()
	if err != nil {
		return trace.SpanContext{}, err
	}
	defer func() { _ = ch.Close() }()
	witness := &witness{Channel: ch}
	publisher := amqptrace.NewPublisher(witness, amqptrace.WithTracerProvider(provider),
		amqptrace.WithPropagators(tracecontext.Propagator()), amqptrace.WithQueueTime())
	// A broker that refuses the message closes the channel and says why.
	closed := ch.NotifyClose(make(chan *amqp.Error, 1))
	if m.Confirm {
		if err := ch.Confirm(false); err != nil {
			return trace.SpanContext{}, err
		}
		err = publisher.PublishConfirmed(ctx, m.Exchange, m.Key, m.Mandatory, false, m.Publishing)
	} else if err = publisher.PublishWithContext(ctx, m.Exchange, m.Key, m.Mandatory, false, m.Publishing); err == nil {
		// A refusal comes before the answer to Qos. Closing the channel might not wait for
		// it.
		err = errors.Join(ch.Qos(1, 0, false), ch.Close())
	}
	if errors.Is(err, amqp.ErrClosed) {
		if reason := <-closed; reason != nil {
			err = reason
		}
	}
	return witness.sent, err
}

// witness records the context that the publisher gave the message.
type witness struct {
	*amqp.Channel

	sent trace.SpanContext
}

var _ amqptrace.Channel = (*witness)(nil)

func (w *witness) PublishWithDeferredConfirmWithContext(
	ctx context.Context, exchange, key string, mandatory, immediate bool, msg amqp.Publishing,
) (*amqp.DeferredConfirmation, error) {
	sent := tracecontext.Read(msg.Headers).Span
	confirmation, err := w.Channel.PublishWithDeferredConfirmWithContext(ctx, exchange, key, mandatory, immediate, msg)
	if err == nil {
		w.sent = sent
	}
	return confirmation, err
}
