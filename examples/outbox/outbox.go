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

// save writes the order and its event in one transaction, so that neither exists without
// the other. The trace context is a text column of the event's row:
//
//	CREATE TABLE outbox (id BIGSERIAL, key TEXT, body BYTEA, trace_context TEXT)
func save(ctx context.Context, t *table, order []byte) {
	t.insert(row{key: orderCreated, body: order, traceContext: carrier.InjectText(ctx, otel.GetTextMapPropagator())})
}

// relay publishes the rows and deletes those that the broker has confirmed. If a relay dies
// in between, a row is published twice, both times as part of the same request.
func relay(ctx context.Context, t *table, pub *amqptrace.Publisher, exchange string) error {
	for ctx.Err() == nil {
		for _, r := range t.pending() {
			switch err := publish(ctx, pub, exchange, r); {
			case err == nil:
				t.remove(r.id)
			case errors.Is(err, amqptrace.ErrClosed):
				return err // A new relay on a new channel continues from here.
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
	// A relay that stops still waits for the row that it has sent, or the next relay would
	// send it again.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), confirmTimeout)
	defer cancel()
	// The publish continues the request's trace. A span in ctx, of the relay's round for
	// instance, would be replaced: a round handles rows of many requests.
	ctx = carrier.ExtractText(ctx, otel.GetTextMapPropagator(), r.traceContext)
	return pub.PublishConfirmed(ctx, exchange, r.key, true, false, amqp.Publishing{
		DeliveryMode: amqp.Persistent, Timestamp: r.at, Body: r.body,
	})
}
