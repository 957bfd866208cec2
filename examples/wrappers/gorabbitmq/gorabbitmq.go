// Package gorabbitmq shows how github.com/wagslane/go-rabbitmq is traced, to be copied:
//
//	pub := TracePublisher(publisher)
//	err = pub.PublishConfirmed(ctx, data, []string{"order.created"}, rabbitmq.WithPublishOptionsExchange("orders"))
//
//	err = consumer.Run(TraceHandler(amqptrace.NewConsumer("billing"), handle))
package gorabbitmq

import (
	"context"
	"errors"
	"slices"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/mqtrace/mqtrace/amqptrace"
	"github.com/mqtrace/mqtrace/examples/wrappers/gorabbitmq/rabbitmq" // github.com/wagslane/go-rabbitmq
)

// Publisher is a publisher in confirm mode whose messages are traced.
type Publisher struct {
	*rabbitmq.Publisher

	traced *amqptrace.Publisher
}

// TracePublisher traces what pub publishes.
func TracePublisher(pub *rabbitmq.Publisher, opts ...amqptrace.Option) Publisher {
	return Publisher{pub, amqptrace.NewPublisher(nil, opts...)}
}

// PublishConfirmed waits for the confirm of each routing key's message.
func (p Publisher) PublishConfirmed(ctx context.Context, data []byte, keys []string, opts ...func(*rabbitmq.PublishOptions)) error {
	for _, key := range keys {
		if err := p.publish(ctx, data, key, opts); err != nil {
			return err
		}
	}
	return nil
}

func (p Publisher) publish(ctx context.Context, data []byte, key string, opts []func(*rabbitmq.PublishOptions)) error {
	var o rabbitmq.PublishOptions
	for _, opt := range opts {
		opt(&o)
	}
	msg := amqp.Publishing{Headers: amqp.Table(o.Headers), MessageId: o.MessageID, CorrelationId: o.CorrelationID, Body: data}
	ctx, sent := p.traced.StartPublish(ctx, o.Exchange, key, &msg)
	defer sent.End()
	opts = append(slices.Clip(opts), rabbitmq.WithPublishOptionsHeaders(rabbitmq.Table(msg.Headers)))
	confirms, err := p.PublishWithDeferredConfirmWithContext(ctx, data, []string{key}, opts...)
	if err != nil {
		return sent.Result(err)
	}
	if confirms[0] == nil {
		return sent.Confirmed(amqptrace.ErrNotConfirming)
	}
	switch acked, err := confirms[0].WaitContext(ctx); {
	case err == nil && !acked:
		return sent.Confirmed(ErrNotConfirmed)
	case err == nil && o.Mandatory:
		return sent.Result(nil) // a message that was returned is acked too: NotifyReturn has it
	default:
		return sent.Confirmed(err)
	}
}

// ErrNotConfirmed says that the broker refused the message or that the channel closed, which
// amqp091-go reports alike. The outcome is unknown.
var ErrNotConfirmed = errors.New("message was not confirmed")

var settlements = map[rabbitmq.Action]amqptrace.Settlement{
	rabbitmq.Ack: amqptrace.Ack, rabbitmq.NackDiscard: amqptrace.Nack, rabbitmq.NackRequeue: amqptrace.Requeue,
}

// TraceHandler gives a handler the context of the trace. A handler that returns Manual settles
// by d, which the span sees.
func TraceHandler(cons *amqptrace.Consumer, handle func(context.Context, rabbitmq.Delivery) rabbitmq.Action) rabbitmq.Handler {
	return func(d rabbitmq.Delivery) rabbitmq.Action {
		ctx, p := cons.StartProcess(context.Background(), &d.Delivery)
		defer p.End()
		action := handle(ctx, d)
		p.Settled(settlements[action]) // none for Manual
		_ = p.Result(nil)
		return action
	}
}
