// Package watermilltrace traces publishers and routers of watermill on RabbitMQ
// (github.com/ThreeDotsLabs/watermill-amqp/v3), with a line for each:
//
//	pub = watermilltrace.Publisher(pub, config)
//	router.AddMiddleware(watermilltrace.Middleware(config)) // before all others
//
// Messages that a handler returns are published in the trace of the message it handled.
package watermilltrace

import (
	wamqp "github.com/ThreeDotsLabs/watermill-amqp/v3/pkg/amqp"
	"github.com/ThreeDotsLabs/watermill/message"
	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/mqtrace/mqtrace/amqptrace"
)

// Publisher returns a publisher that traces what next publishes. config must be the one that
// next was made with. A message is recorded as acked if watermill waits for confirms and messages are
// not mandatory: watermill does not report whether a mandatory message was returned.
func Publisher(next message.Publisher, config wamqp.Config, opts ...amqptrace.Option) message.Publisher {
	return publisher{next, config, amqptrace.NewPublisher(nil, opts...)}
}

type publisher struct {
	message.Publisher

	config wamqp.Config
	traced *amqptrace.Publisher
}

func (p publisher) Publish(topic string, msgs ...*message.Message) error {
	exchange, key := p.config.Exchange.GenerateName(topic), p.config.Publish.GenerateRoutingKey(topic)
	copies, sent := make([]*message.Message, len(msgs)), make([]*amqptrace.Sent, len(msgs))
	for i, m := range msgs {
		msg := amqp.Publishing{Headers: headers(m.Metadata), MessageId: m.UUID, Body: m.Payload}
		ctx, s := p.traced.StartPublish(m.Context(), exchange, key, &msg)
		defer s.End()
		copies[i], sent[i] = message.NewMessage(m.UUID, m.Payload), s
		copies[i].SetContext(ctx)
		for k, v := range msg.Headers {
			copies[i].Metadata[k], _ = v.(string)
		}
	}
	err := p.Publisher.Publish(topic, copies...)
	for _, s := range sent {
		if p.config.Publish.ConfirmDelivery && !p.config.Publish.Mandatory {
			_ = s.Confirmed(err)
		} else {
			_ = s.Result(err)
		}
	}
	return err
}

func headers(metadata message.Metadata) amqp.Table {
	t := make(amqp.Table, len(metadata))
	for k, v := range metadata {
		t[k] = v
	}
	return t
}
