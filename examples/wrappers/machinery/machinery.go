// Package machinery shows how github.com/RichardKnop/machinery/v2 is traced, to be copied:
//
//	broker := TraceBroker(amqpbroker.New(config)) // for machinery.NewServer
//	server.RegisterTask("bill", Task(bill))
//
// Publish tasks with SendTaskWithContext.
package machinery

import (
	"context"
	"sync"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/mqtrace/mqtrace/amqptrace"
	"github.com/mqtrace/mqtrace/examples/wrappers/machinery/machinery" // github.com/RichardKnop/machinery/v2
)

// TraceBroker returns a broker whose tasks are traced. machinery waits for each confirm.
func TraceBroker(b machinery.Broker, opts ...amqptrace.Option) machinery.Broker {
	return broker{b, opts, amqptrace.NewPublisher(nil, opts...)}
}

type broker struct {
	machinery.Broker

	opts   []amqptrace.Option
	traced *amqptrace.Publisher
}

func (b broker) Publish(ctx context.Context, s *machinery.Signature) error {
	b.AdjustRoutingKey(s)
	msg := amqp.Publishing{Headers: amqp.Table(s.Headers), MessageId: s.UUID, Type: s.Name}
	ctx, sent := b.traced.StartPublish(ctx, b.GetConfig().Exchange, s.RoutingKey, &msg)
	defer sent.End()
	traced := *s
	traced.Headers = machinery.Headers(msg.Headers)
	return sent.Confirmed(b.Broker.Publish(ctx, &traced))
}

func (b broker) StartConsuming(tag string, n int, p machinery.TaskProcessor) (bool, error) {
	queue := p.CustomQueue()
	if queue == "" {
		queue = b.GetConfig().DefaultQueue
	}
	return b.Broker.StartConsuming(tag, n, processor{p, b.GetConfig().Exchange, amqptrace.NewConsumer(queue, b.opts...)})
}

type processor struct {
	machinery.TaskProcessor

	exchange string
	traced   *amqptrace.Consumer
}

// inFlight holds the context of each task in progress: machinery has no way to pass one
// from here to the task.
var inFlight sync.Map

func (p processor) Process(s *machinery.Signature) error {
	ctx, traced := p.traced.StartProcess(context.Background(), &amqp.Delivery{
		Headers: amqp.Table(s.Headers), MessageId: s.UUID, Type: s.Name, Exchange: p.exchange, RoutingKey: s.RoutingKey,
	})
	defer traced.End()
	inFlight.Store(s.UUID, ctx)
	defer inFlight.Delete(s.UUID)
	err := p.TaskProcessor.Process(s)
	traced.Settled(amqptrace.Ack) // whatever the outcome
	return traced.Result(err)
}

// Task gives a task the context of its trace. machinery does not pass on the task's error,
// so it is recorded here.
func Task(task func(context.Context, string) error) func(context.Context, string) error {
	return func(ctx context.Context, arg string) error {
		if s := machinery.SignatureFromContext(ctx); s != nil {
			traced, _ := inFlight.Load(s.UUID)
			if traced, ok := traced.(context.Context); ok {
				ctx = traced
			}
		}
		err := task(ctx, arg)
		amqptrace.Fail(ctx, err)
		return err
	}
}
