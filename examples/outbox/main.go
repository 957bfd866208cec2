// Command outbox shows a trace that goes through a database table: the request writes a
// row, and a relay publishes it later.
package main

import (
	"context"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/trace"

	"github.com/mqtrace/mqtrace/amqptrace"
	"github.com/mqtrace/mqtrace/examples/internal/showcase"
)

var example = showcase.Example{
	Name: "outbox",
	Run:  run,
	LookAt: `
Look at where "publish orders" stands: under the request that wrote the row, although a relay made it after the
request had ended. The baggage went the same way: tenant.id is on the last span.`,
}

func main() { example.Main() }

func run(ctx context.Context, s *showcase.Stage) error {
	ch, err := s.Conn.Channel()
	if err != nil {
		return err
	}
	orders, emails, err := declare(s, ch)
	if err != nil {
		return err
	}
	deliveries, err := s.Consume(emails, 10)
	if err != nil {
		return err
	}
	mailer := amqptrace.NewConsumer(emails, amqptrace.WithTracerProvider(s.Service("mailer")))
	s.Go(func() error {
		for ctx, d := range mailer.Deliveries(ctx, deliveries) {
			tenant := baggage.FromContext(ctx).Member("tenant.id").Value()
			trace.SpanFromContext(ctx).SetAttributes(attribute.String("tenant.id", tenant))
			if err := d.Ack(false); err != nil {
				return err
			}
		}
		return nil
	})

	table := &table{}
	if err := placeOrder(ctx, s.Service("shop"), table); err != nil {
		return err
	}
	if err := ch.Confirm(false); err != nil {
		return err
	}
	pub := amqptrace.NewPublisher(ch, amqptrace.WithTracerProvider(s.Service("relay")))
	s.Go(func() error {
		time.Sleep(20 * time.Millisecond) // To show that the request has long ended.
		return relay(ctx, table, pub, orders)
	})
	return s.Await(ctx, 1, "process "+emails)
}

// placeOrder is the request. It does not depend on the broker.
func placeOrder(ctx context.Context, shop trace.TracerProvider, t *table) error {
	tenant, err := baggage.NewMember("tenant.id", "acme")
	if err != nil {
		return err
	}
	bag, err := baggage.New(tenant)
	if err != nil {
		return err
	}
	ctx, span := shop.Tracer("shop").Start(baggage.ContextWithBaggage(ctx, bag), "POST /orders",
		trace.WithSpanKind(trace.SpanKindServer))
	defer span.End()
	save(ctx, t, []byte(`{"order": 1}`))
	return nil
}

func declare(s *showcase.Stage, ch *amqp.Channel) (exchange, queue string, err error) {
	if exchange, err = s.Exchange(ch, "orders"); err != nil {
		return "", "", err
	}
	if queue, err = s.Queue(ch, "order-emails", nil); err != nil {
		return "", "", err
	}
	return exchange, queue, ch.QueueBind(queue, orderCreated, exchange, false, nil)
}
