// Command confirm shows, on the span of the publish, what a broker can report about a
// published message.
package main

import (
	"context"
	"errors"
	"fmt"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/mqtrace/mqtrace/amqptrace"
	"github.com/mqtrace/mqtrace/examples/internal/showcase"
)

var example = showcase.Example{
	Name: "confirm",
	Run:  run,
	LookAt: `
Look at mqtrace.publish.outcome: the first order is acked, the second was returned, since no queue is bound to
its key, and the third was refused by a full queue. The import's publishes overlap: none waits for the one before.`,
	Attributes: []string{"mqtrace.publish.outcome", "messaging.rabbitmq.destination.routing_key"},
}

func main() { example.Main() }

func run(ctx context.Context, s *showcase.Stage) error {
	ch, err := s.Conn.Channel()
	if err != nil {
		return err
	}
	orders, err := declare(s, ch)
	if err != nil {
		return err
	}
	// Without confirm mode the broker does not answer, and all outcomes look alike.
	if err := ch.Confirm(false); err != nil {
		return err
	}
	shop := s.Service("shop")
	pub := amqptrace.NewPublisher(ch, amqptrace.WithTracerProvider(shop))
	tracer := shop.Tracer("shop")

	ctx, span := tracer.Start(ctx, "take orders")
	defer span.End()
	for _, order := range []struct {
		key  string
		want verdict
	}{
		{"created", taken},
		{"misspelt", misconfigured},
		{"rationed", later},
	} {
		if got, err := publish(ctx, pub, orders, order.key, []byte("1")); got != order.want {
			return errors.Join(fmt.Errorf("order %s: %v, want %v", order.key, got, order.want), err)
		}
	}

	ctx, bulk := tracer.Start(ctx, "import orders")
	defer bulk.End()
	return publishAll(ctx, pub, orders, "created", [][]byte{[]byte("2"), []byte("3"), []byte("4"), []byte("5")})
}

// declare binds a queue that accepts anything and one that is already full.
func declare(s *showcase.Stage, ch *amqp.Channel) (exchange string, err error) {
	if exchange, err = s.Exchange(ch, "orders"); err != nil {
		return "", err
	}
	for key, args := range map[string]amqp.Table{
		"created":  nil,
		"rationed": {"x-max-length": 0, "x-overflow": "reject-publish"},
	} {
		queue, err := s.Queue(ch, "orders."+key, args)
		if err != nil {
			return "", err
		}
		if err := ch.QueueBind(queue, key, exchange, false, nil); err != nil {
			return "", err
		}
	}
	return exchange, nil
}
