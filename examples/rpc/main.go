// Command rpc shows requests and replies over RabbitMQ, with direct reply-to and with a
// reply queue, each as one trace.
package main

import (
	"context"
	"fmt"

	amqp "github.com/rabbitmq/amqp091-go"
	"go.opentelemetry.io/otel/trace"

	"github.com/mqtrace/mqtrace/amqptrace"
	"github.com/mqtrace/mqtrace/examples/internal/showcase"
)

var example = showcase.Example{
	Name: "rpc",
	Run:  run,
	LookAt: `
Look at the reply: it continues the trace under the request, and all spans have the same conversation id. Span names
do not contain the names of reply queues, which are generated: there would be as many span names as clients. The
settlement of a reply is "none", since it needs no acknowledgement.`,
	Attributes: []string{"messaging.message.conversation_id"},
}

func main() { example.Main() }

func run(ctx context.Context, s *showcase.Stage) error {
	ch, err := s.Conn.Channel()
	if err != nil {
		return err
	}
	prices, err := s.Queue(ch, "prices", nil)
	if err != nil {
		return err
	}
	requests, err := s.Consume(prices, 10)
	if err != nil {
		return err
	}
	service := amqptrace.WithTracerProvider(s.Service("prices"))
	s.Go(func() error {
		return serve(ctx, amqptrace.NewConsumer(prices, service), amqptrace.NewPublisher(ch, service), requests)
	})

	shop := s.Service("shop")
	for _, by := range []struct {
		name, replies string
		newClient     func(*amqp.Connection, ...amqptrace.Option) (*client, error)
	}{
		{"direct reply-to", "process amq.rabbitmq.reply-to.*", newDirectClient},
		{"a reply queue", "process amq.gen-*", newQueueClient},
	} {
		c, err := by.newClient(s.Conn, amqptrace.WithTracerProvider(shop))
		if err != nil {
			return err
		}
		s.Go(func() error { return c.receive(ctx) })
		if err := ask(ctx, shop, c, prices, "ask by "+by.name); err != nil {
			return err
		}
		if err := s.Await(ctx, 1, by.replies); err != nil {
			return err
		}
	}
	return nil
}

func ask(ctx context.Context, shop trace.TracerProvider, c *client, queue, name string) error {
	ctx, span := shop.Tracer("shop").Start(ctx, name)
	defer span.End()
	reply, err := c.call(ctx, queue, []byte("tea"))
	if err == nil && string(reply) != "tea: 4.50" {
		err = fmt.Errorf("the reply is %q", reply)
	}
	return err
}
