package demo

import (
	"context"
	"errors"
	"fmt"

	amqp "github.com/rabbitmq/amqp091-go"
	"go.opentelemetry.io/otel/trace"

	"github.com/mqtrace/mqtrace/amqptrace"
	"github.com/mqtrace/mqtrace/examples/order-notification/events"
	"github.com/mqtrace/mqtrace/examples/order-notification/rabbit"
	"github.com/mqtrace/mqtrace/examples/order-notification/telemetry"
)

// importName is a program that publishes to the order service's exchange
// without keeping to its format.
const importName = "order-import"

// publishPoison publishes a message that is not JSON.
func (s *staging) publishPoison(ctx context.Context) (traceID string, err error) {
	cfg := s.telemetry
	cfg.Service = importName
	t, err := telemetry.Setup(ctx, cfg)
	if err != nil {
		return "", err //nolint:wrapcheck // It names the service.
	}
	// In the background, so that a Collector that hangs does not delay the demo.
	defer s.flushes.Go(func() { t.Shutdown(context.WithoutCancel(ctx)) })
	conn, err := rabbit.Dial(ctx, s.backend.AMQPURL, importName, t.Log)
	if err != nil {
		return "", err //nolint:wrapcheck // It says what it was doing.
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	ch, err := conn.Channel()
	if err != nil {
		return "", fmt.Errorf("open a channel: %w", err)
	}
	publisher := amqptrace.NewPublisher(ch,
		amqptrace.WithTracerProvider(t.TracerProvider),
		amqptrace.WithPropagators(t.Propagators),
		amqptrace.WithServer(conn.Host, conn.Port))
	ctx, span := t.Tracer().Start(ctx, "import orders")
	defer span.End()
	err = publisher.PublishWithContext(ctx, s.topology.Exchange, events.OrderCreatedKey, false, false,
		amqp.Publishing{ContentType: "text/csv", Body: []byte("order;email\n4711;customer@example.com\n")})
	if err != nil {
		return "", fmt.Errorf("publish the unreadable message: %w", err)
	}
	return trace.SpanContextFromContext(ctx).TraceID().String(), nil
}
