package main

import (
	"context"
	"errors"
	"log/slog"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"go.opentelemetry.io/otel"

	"github.com/mqtrace/mqtrace/amqptrace"
	"github.com/mqtrace/mqtrace/carrier"
)

const (
	orderCreated   = "order.created"
	pollInterval   = 50 * time.Millisecond
	confirmTimeout = 5 * time.Second
)

// save writes the order and its event in one transaction, so that there is neither
// without the other. The trace context is a text column of the event's row:
//
//	CREATE TABLE outbox (id BIGSERIAL, key TEXT, body BYTEA, trace_context TEXT)
func save(ctx context.Context, t *table, order []byte) {
	t.insert(row{key: orderCreated, body: order, traceContext: carrier.InjectText(ctx, otel.GetTextMapPropagator())})
}

// relay publishes the rows and deletes what the broker has confirmed. A relay that dies
// in between publishes a row twice, and both publishes are under the same request.
func relay(ctx context.Context, t *table, pub *amqptrace.Publisher, exchange string) error {
	for ctx.Err() == nil {
		for _, r := range t.pending() {
			switch err := publish(ctx, pub, exchange, r); {
			case err == nil:
				t.remove(r.id)
			case errors.Is(err, amqptrace.ErrClosed):
				return err // A new relay on a new channel goes on from here.
			default:
				slog.Debug("event not published, it stays in the table", "error", err)
			}
		}
		select {
		case <-time.After(pollInterval):
		case <-ctx.Done():
		}
	}
	return nil
}

func publish(ctx context.Context, pub *amqptrace.Publisher, exchange string, r row) error {
	// A relay that stops still waits for the row that it has sent, or it would be sent
	// again by the next.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), confirmTimeout)
	defer cancel()
	// The publish goes on where the request was. Were there a span in ctx, of the relay's
	// round for instance, it would be replaced: a round handles rows of many requests.
	ctx = carrier.ExtractText(ctx, otel.GetTextMapPropagator(), r.traceContext)
	return pub.PublishConfirmed(ctx, exchange, r.key, true, false, amqp.Publishing{
		DeliveryMode: amqp.Persistent, Timestamp: r.at, Body: r.body,
	})
}
