// Package machinery shows how github.com/RichardKnop/machinery/v2 is traced, to be copied:
//
//	broker := TraceBroker(amqpbroker.New(config)) // for machinery.NewServer
//	server.RegisterTask("bill", Task(bill))
//
// Publish tasks with SendTaskWithContext.
package machinery

import (
	"cmp"
	"context"
	"slices"
	"sync"

	amqp "github.com/rabbitmq/amqp091-go"
	"go.opentelemetry.io/otel/trace"

	"github.com/mqtrace/mqtrace/amqptrace"
	"github.com/mqtrace/mqtrace/examples/wrappers/machinery/v2/brokers/iface" // github.com/RichardKnop/machinery/v2
	"github.com/mqtrace/mqtrace/examples/wrappers/machinery/v2/tasks"
)

// TraceBroker returns a broker whose tasks are traced. machinery waits for each confirm.
func TraceBroker(b iface.Broker, opts ...amqptrace.Option) iface.Broker {
	return broker{b, opts, amqptrace.NewPublisher(nil, opts...)}
}

type broker struct {
	iface.Broker

	opts   []amqptrace.Option
	traced *amqptrace.Publisher
}

func (b broker) Publish(ctx context.Context, s *tasks.Signature) error {
	if !trace.SpanContextFromContext(ctx).IsValid() {
		ctx = contextOf(ctx, s)
	}
	b.AdjustRoutingKey(s)
	msg := amqp.Publishing{Headers: amqp.Table(s.Headers), MessageId: s.UUID, Type: s.Name}
	ctx, sent := b.traced.StartPublish(ctx, b.GetConfig().AMQP.Exchange, s.RoutingKey, &msg)
	defer sent.End()
	traced := *s
	traced.Headers = tasks.Headers(msg.Headers)
	return sent.Confirmed(b.Broker.Publish(ctx, &traced))
}

func (b broker) StartConsuming(tag string, n int, p iface.TaskProcessor) (bool, error) {
	queue := cmp.Or(p.CustomQueue(), b.GetConfig().DefaultQueue)
	return b.Broker.StartConsuming(tag, n, processor{p, b.GetConfig().AMQP.Exchange, amqptrace.NewConsumer(queue, b.opts...)})
}

type processor struct {
	iface.TaskProcessor

	exchange string
	traced   *amqptrace.Consumer
}

// inFlight holds the context of each task in progress by UUID, since machinery has no way to
// pass one from here to the task. It publishes retries and the tasks that follow without a
// context, so theirs is here too.
var inFlight sync.Map

func contextOf(ctx context.Context, s *tasks.Signature) context.Context {
	if found, ok := inFlight.Load(s.UUID); ok {
		ctx, _ = found.(context.Context)
	}
	return ctx
}

func (p processor) Process(s *tasks.Signature) error {
	ctx, traced := p.traced.StartProcess(context.Background(), &amqp.Delivery{
		Headers: amqp.Table(s.Headers), MessageId: s.UUID, Type: s.Name, Exchange: p.exchange, RoutingKey: s.RoutingKey,
	})
	defer traced.End()
	for _, of := range slices.Concat([]*tasks.Signature{s}, s.OnSuccess, s.OnError) {
		inFlight.Store(of.UUID, ctx)
		defer inFlight.Delete(of.UUID)
	}
	err := p.TaskProcessor.Process(s)
	traced.Settled(amqptrace.Ack) // whatever the outcome
	return traced.Result(err)
}

// Task gives a task the context of its trace. machinery does not pass on the task's error,
// so it is recorded here.
func Task(task func(context.Context, string) error) func(context.Context, string) error {
	return func(ctx context.Context, arg string) error {
		if s := tasks.SignatureFromContext(ctx); s != nil {
			ctx = contextOf(ctx, s)
		}
		err := task(ctx, arg)
		amqptrace.Fail(ctx, err)
		return err
	}
}
