package throughput_test

import (
	"context"
	"maps"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/propagation"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"
)

// byHand is what a program would do by itself for the same span, with the same SDK: what
// it costs more than amqp091-go alone is not amqptrace's doing.
type byHand struct{ tracer trace.Tracer }

func newByHand(b *testing.B) byHand {
	b.Helper()
	return byHand{newProvider(b).Tracer("by-hand")}
}

func (h byHand) publish(headers amqp.Table, queue string) (traced amqp.Table, end func()) {
	ctx, span := h.tracer.Start(context.Background(), "publish amq.default",
		trace.WithSpanKind(trace.SpanKindProducer), trace.WithAttributes(
			semconv.MessagingSystemRabbitMQ,
			semconv.MessagingOperationName("publish"),
			semconv.MessagingOperationTypeSend,
			semconv.MessagingDestinationName(queue),
			semconv.MessagingRabbitMQDestinationRoutingKey(queue),
			semconv.MessagingMessageID("b9f1c6a2"),
		))
	traced = maps.Clone(headers)
	propagation.TraceContext{}.Inject(ctx, tableCarrier(traced))
	return traced, func() {
		span.SetAttributes(attribute.String("mqtrace.publish.outcome", "acked"))
		span.End()
	}
}

type tableCarrier amqp.Table

func (c tableCarrier) Get(string) string     { return "" }
func (c tableCarrier) Set(key, value string) { c[key] = value }
func (c tableCarrier) Keys() []string        { return nil }
