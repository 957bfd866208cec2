// Package amqp091otel stands in for github.com/wzy9607/amqp091otel, which cannot be
// downloaded everywhere, so that the diffs in docs/migration.md compile. It has the
// signatures that they use, and traces nothing.
package amqp091otel

import (
	"context"

	amqp "github.com/rabbitmq/amqp091-go"
)

// Channel is a channel that would be traced.
type Channel struct{ *amqp.Channel }

// NewChannel wraps a channel of the broker at url.
func NewChannel(ch *amqp.Channel, _ string) (*Channel, error) { return &Channel{ch}, nil }

// ContextFromDelivery returns the context of a delivery's span.
func ContextFromDelivery(amqp.Delivery) context.Context { return context.Background() }
