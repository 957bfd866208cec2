// Package gocloud shows how gocloud.dev/pubsub on RabbitMQ is traced, to be copied:
//
//	topic := TraceTopic(rabbitpubsub.OpenTopic(conn, "orders", nil), "orders")
//	err = topic.Send(ctx, &pubsub.Message{Body: body})
//
//	err = Receive(ctx, subscription, consumer, handle) // instead of subscription.Receive(ctx)
package gocloud

import (
	"context"

	amqp "github.com/rabbitmq/amqp091-go"
	"gocloud.dev/pubsub"

	"github.com/mqtrace/mqtrace/amqptrace"
)

// Topic is a topic whose messages are traced.
type Topic struct {
	*pubsub.Topic

	exchange string
	traced   *amqptrace.Publisher
}

// TraceTopic traces what is sent to a topic, which is an exchange.
func TraceTopic(t *pubsub.Topic, exchange string, opts ...amqptrace.Option) Topic {
	return Topic{t, exchange, amqptrace.NewPublisher(nil, opts...)}
}

// Send sends a message. The driver waits for the confirm, and for a return: without an error
// the message was acked and routed.
func (t Topic) Send(ctx context.Context, m *pubsub.Message) error {
	headers := make(amqp.Table, len(m.Metadata))
	for k, v := range m.Metadata {
		headers[k] = v
	}
	msg := amqp.Publishing{Headers: headers, Body: m.Body, MessageId: m.Metadata["id"]}
	ctx, sent := t.traced.StartPublish(ctx, t.exchange, "", &msg)
	defer sent.End()
	metadata := make(map[string]string, len(msg.Headers))
	for k, v := range msg.Headers {
		metadata[k], _ = v.(string)
	}
	return sent.Confirmed(t.Topic.Send(ctx, &pubsub.Message{
		Body: m.Body, Metadata: metadata, BeforeSend: m.BeforeSend, AfterSend: m.AfterSend,
	}))
}

// Receive receives a message, calls handle, and acks the message, or nacks it if handle
// failed: a *pubsub.Message cannot be wrapped, so handle must not settle it.
func Receive(
	ctx context.Context, sub *pubsub.Subscription, cons *amqptrace.Consumer,
	handle func(context.Context, *pubsub.Message) error,
) error {
	m, err := sub.Receive(ctx)
	if err != nil {
		return err
	}
	var d amqp.Delivery
	m.As(&d)
	d.MessageId = m.Metadata["id"]
	ctx, p := cons.StartProcess(ctx, &d)
	defer p.End()
	if err := handle(ctx, m); err != nil {
		m.Nack()
		p.Settled(amqptrace.Requeue)
		return p.Result(err)
	}
	m.Ack()
	p.Settled(amqptrace.Ack)
	return p.Result(nil)
}
