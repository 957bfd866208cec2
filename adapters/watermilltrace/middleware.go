package watermilltrace

import (
	"sync"

	wamqp "github.com/ThreeDotsLabs/watermill-amqp/v3/pkg/amqp"
	"github.com/ThreeDotsLabs/watermill/message"
	amqp "github.com/rabbitmq/amqp091-go"
	"go.opentelemetry.io/otel/trace"

	"github.com/mqtrace/mqtrace/amqptrace"
)

// Middleware returns a middleware that traces the handlers of a router. config must be that
// of the router's subscribers. The settlement is the one that the router derives from the
// handler's error, unless the handler has acked or nacked the message itself.
func Middleware(config wamqp.Config, opts ...amqptrace.Option) message.HandlerMiddleware {
	var consumers sync.Map // by topic
	return func(next message.HandlerFunc) message.HandlerFunc {
		return func(m *message.Message) ([]*message.Message, error) {
			topic := message.SubscribeTopicFromCtx(m.Context())
			known, ok := consumers.Load(topic)
			if !ok {
				known, _ = consumers.LoadOrStore(topic, amqptrace.NewConsumer(config.Queue.GenerateName(topic), opts...))
			}
			cons, _ := known.(*amqptrace.Consumer)
			ctx, p := cons.StartProcess(m.Context(), &amqp.Delivery{
				Headers: headers(m.Metadata), MessageId: m.UUID, Body: m.Payload, Redelivered: wamqp.IsMessageRedelivered(m),
			})
			defer p.End()
			m.SetContext(ctx)
			produced, err := next(m)
			for _, out := range produced {
				if !trace.SpanContextFromContext(out.Context()).IsValid() {
					out.SetContext(trace.ContextWithSpan(out.Context(), trace.SpanFromContext(ctx)))
				}
			}
			p.Settled(settlement(m, err, config))
			return produced, p.Result(err)
		}
	}
}

// settlement returns the settlement that the handler made itself, or the one that the
// router will make.
func settlement(m *message.Message, err error, config wamqp.Config) amqptrace.Settlement {
	nacked := err != nil
	select {
	case <-m.Acked():
		nacked = false
	case <-m.Nacked():
		nacked = true
	default:
	}
	switch {
	case !nacked:
		return amqptrace.Ack
	case config.Consume.NoRequeueOnNack:
		return amqptrace.Nack
	default:
		return amqptrace.Requeue
	}
}
