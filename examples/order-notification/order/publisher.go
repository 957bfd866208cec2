package order

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/mqtrace/mqtrace/amqptrace"
	"github.com/mqtrace/mqtrace/examples/order-notification/events"
	"github.com/mqtrace/mqtrace/examples/order-notification/rabbit"
	"github.com/mqtrace/mqtrace/examples/order-notification/telemetry"
)

const confirmTimeout = 5 * time.Second

// publisher publishes order events and waits for their confirms.
type publisher struct {
	conn     *rabbit.Conn
	traced   *amqptrace.Publisher
	exchange string
}

func newPublisher(conn *rabbit.Conn, topology events.Topology, t *telemetry.Telemetry) (*publisher, error) {
	ch, err := conn.Channel()
	if err != nil {
		return nil, fmt.Errorf("open a channel: %w", err)
	}
	if err := topology.Declare(ch); err != nil {
		return nil, err
	}
	if err := ch.Confirm(false); err != nil {
		return nil, fmt.Errorf("turn on publisher confirms: %w", err)
	}
	return &publisher{
		conn:     conn,
		exchange: topology.Exchange,
		traced: amqptrace.NewPublisher(ch,
			amqptrace.WithTracerProvider(t.TracerProvider),
			amqptrace.WithMeterProvider(t.MeterProvider),
			amqptrace.WithPropagators(t.Propagators),
			amqptrace.WithServer(conn.Host, conn.Port),
			amqptrace.WithQueueTime(),
		),
	}, nil
}

// publish returns nil once the broker has the event in a queue. Otherwise the error is
// rabbit.ErrReconnecting, amqptrace.ErrReturned, ErrNacked or ErrClosed, the context's, or
// the channel's own.
//
// The customer has paid by now, so a client that hangs up does not cancel it.
// A shop that must not lose the event at all writes it to an outbox table in
// the transaction of the order: see examples/outbox.
func (p *publisher) publish(ctx context.Context, o Order) error {
	body, err := json.Marshal(events.OrderCreated{OrderID: o.ID, Email: o.Email, Total: o.Total})
	if err != nil {
		return fmt.Errorf("marshal the order event: %w", err)
	}
	// amqp091-go requires that a channel is not used while it is being reopened.
	if err := p.conn.Health(ctx); err != nil {
		return fmt.Errorf("publish the order event: %w", err)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), confirmTimeout)
	defer cancel()
	const mandatory, immediate = true, false
	err = p.traced.PublishConfirmed(ctx, p.exchange, events.OrderCreatedKey, mandatory, immediate, amqp.Publishing{
		ContentType:  "application/json",
		DeliveryMode: amqp.Persistent,
		MessageId:    o.ID,
		Type:         events.OrderCreatedKey,
		Timestamp:    time.Now(),
		Body:         body,
	})
	if err != nil {
		return fmt.Errorf("publish the order event: %w", err)
	}
	return nil
}
