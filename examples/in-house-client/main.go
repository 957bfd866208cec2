// Command in-house-client shows how a team instruments a message client of its own, with
// package carrier alone. The instrumentation is in bus.go.
package main

import (
	"context"
	"errors"

	"go.opentelemetry.io/otel/baggage"

	"github.com/mqtrace/mqtrace/examples/internal/showcase"
)

var example = showcase.Example{
	Name: "in-house-client",
	Run:  run,
	LookAt: `
Look at the kinds, producer and consumer, and at the parents: each subscriber's span is under the span of the send.
The attributes are those of OpenTelemetry's conventions, so the tree finds the time that a message waited.`,
	Attributes: []string{"messaging.destination.name", "messaging.operation.type"},
}

func main() { example.Main() }

const topic = "stock.changed"

var errReadOnly = errors.New("the index is read-only")

func run(ctx context.Context, s *showcase.Stage) error {
	ch, err := s.Conn.Channel()
	if err != nil {
		return err
	}
	exchange, err := s.Exchange(ch, "bus")
	if err != nil {
		return err
	}
	for queue, handle := range map[string]func(context.Context, []byte) error{
		"shop-window": func(context.Context, []byte) error { return nil },
		"search":      func(context.Context, []byte) error { return errReadOnly },
	} {
		b := newBus(ch, exchange, s.Service(queue))
		name, err := s.Queue(ch, queue, nil)
		if err != nil {
			return err
		}
		if err := ch.QueueBind(name, topic, exchange, false, nil); err != nil {
			return err
		}
		deliveries, err := s.Consume(name, 1)
		if err != nil {
			return err
		}
		s.Go(func() error { return b.subscribe(ctx, name, deliveries, handle) })
	}

	warehouse := s.Service("warehouse")
	if err := takeStock(ctx, newBus(ch, exchange, warehouse)); err != nil {
		return err
	}
	return errors.Join(
		s.Await(ctx, 1, "process "+s.Name("shop-window")),
		s.Await(ctx, 1, "process "+s.Name("search")),
	)
}

func takeStock(ctx context.Context, b *bus) error {
	site, err := baggage.NewMember("site", "osaka")
	if err != nil {
		return err
	}
	bag, err := baggage.New(site)
	if err != nil {
		return err
	}
	ctx, span := b.tracer.Start(baggage.ContextWithBaggage(ctx, bag), "take stock")
	defer span.End()
	return b.send(ctx, topic, []byte(`{"tea": 12}`))
}
