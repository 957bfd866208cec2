// Command database shows an order that is stored with a SQL comment and then published: the
// statement, the publish and the consumer in one trace, and the trace's id in the statement that
// the database logs.
package main

import (
	"context"

	amqp "github.com/rabbitmq/amqp091-go"
	"go.opentelemetry.io/otel/trace"

	"github.com/mqtrace/mqtrace/amqptrace"
	"github.com/mqtrace/mqtrace/examples/internal/showcase"
)

var example = showcase.Example{
	Name:       "database",
	Run:        run,
	Attributes: []string{"db.query.text", "db.system.name"},
	LookAt: `
Look at "INSERT orders" beside "publish orders": both are under the request. The statement that reached SQLite ended
with /*traceparent='...'*/, so a slow query in the database's log leads to this trace.`,
}

func main() { example.Main() }

func run(ctx context.Context, s *showcase.Stage) error {
	ch, err := s.Conn.Channel()
	if err != nil {
		return err
	}
	if err := ch.Confirm(false); err != nil {
		return err
	}
	exchange, queue, err := declare(s, ch)
	if err != nil {
		return err
	}
	if err := bill(ctx, s, queue); err != nil {
		return err
	}
	shop := s.Service("shop")
	orders, err := open(ctx, "sqlite", shop)
	if err != nil {
		return err
	}
	defer orders.Close()
	pub := amqptrace.NewPublisher(ch, amqptrace.WithTracerProvider(shop))
	if err := place(ctx, shop, orders, pub, exchange); err != nil {
		return err
	}
	return s.Await(ctx, 1, "process "+queue)
}

// place is the request. A crash between the two lines loses the event: in the example
// outbox, a relay publishes the row instead.
func place(ctx context.Context, shop trace.TracerProvider, orders *store, pub *amqptrace.Publisher, exchange string) error {
	ctx, span := shop.Tracer("shop").Start(ctx, "POST /orders", trace.WithSpanKind(trace.SpanKindServer))
	defer span.End()
	if err := orders.insert(ctx, "o-1", "ada@example.com"); err != nil {
		return err
	}
	return pub.PublishConfirmed(ctx, exchange, "order.created", true, false, amqp.Publishing{MessageId: "o-1"})
}

// bill consumes the orders.
func bill(ctx context.Context, s *showcase.Stage, queue string) error {
	deliveries, err := s.Consume(queue, 10)
	if err != nil {
		return err
	}
	billing := amqptrace.NewConsumer(queue, amqptrace.WithTracerProvider(s.Service("billing")))
	s.Go(func() error {
		for _, d := range billing.Deliveries(ctx, deliveries) {
			if err := d.Ack(false); err != nil {
				return err
			}
		}
		return nil
	})
	return nil
}

func declare(s *showcase.Stage, ch *amqp.Channel) (exchange, queue string, err error) {
	if exchange, err = s.Exchange(ch, "orders"); err != nil {
		return "", "", err
	}
	if queue, err = s.Queue(ch, "billing", nil); err != nil {
		return "", "", err
	}
	return exchange, queue, ch.QueueBind(queue, "order.created", exchange, false, nil)
}
