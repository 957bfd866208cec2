// Command batch shows messages of several traces that are processed together, under one
// span with a link to each.
package main

import (
	"context"

	amqp "github.com/rabbitmq/amqp091-go"
	"go.opentelemetry.io/otel/trace"

	"github.com/mqtrace/mqtrace/amqptrace"
	"github.com/mqtrace/mqtrace/examples/internal/showcase"
)

var example = showcase.Example{
	Name: "batch",
	Run:  run,
	LookAt: `
Look at the links of "process clicks": one to each publish, in a trace of its own, since one span cannot have three
parents. Each link has its message's id; what all messages have in common is on the span.`,
	Attributes: []string{"messaging.batch.message_count", "messaging.message.id"},
}

func main() { example.Main() }

func run(ctx context.Context, s *showcase.Stage) error {
	ch, err := s.Conn.Channel()
	if err != nil {
		return err
	}
	clicks, err := s.Queue(ch, "clicks", nil)
	if err != nil {
		return err
	}
	website := s.Service("website")
	pub := amqptrace.NewPublisher(ch, amqptrace.WithTracerProvider(website))
	for _, id := range []string{"click-1", "click-2", "click-3"} {
		if err := visit(ctx, website, pub, clicks, id); err != nil {
			return err
		}
	}

	deliveries, err := s.Consume(clicks, batchSize)
	if err != nil {
		return err
	}
	statistics := s.Service("statistics")
	s.Go(func() error {
		return consume(ctx, amqptrace.NewConsumer(clicks, amqptrace.WithTracerProvider(statistics)), deliveries,
			func(ctx context.Context, _ []string) error {
				_, span := statistics.Tracer("statistics").Start(ctx, "insert rows")
				defer span.End()
				return nil
			})
	})
	return s.Await(ctx, 1, "process "+clicks)
}

// visit is a separate request, and so a separate trace.
func visit(ctx context.Context, website trace.TracerProvider, pub *amqptrace.Publisher, queue, id string) error {
	ctx, span := website.Tracer("website").Start(ctx, "GET /", trace.WithSpanKind(trace.SpanKindServer))
	defer span.End()
	return pub.PublishWithContext(ctx, "", queue, false, false, amqp.Publishing{MessageId: id, Body: []byte(id)})
}
