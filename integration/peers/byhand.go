package main

import (
	"context"
	"maps"

	amqp "github.com/rabbitmq/amqp091-go"
	"go.opentelemetry.io/otel/attribute"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"
)

const byHand = "by hand"

// byHandAlone is what a careful engineer would write for the same spans in one program,
// attributes built for each message. It knows no letter case of headers, no ambient
// span and no panic.
var byHandAlone = contender{
	name: byHand, beside: byHand,
	spans: map[string]int{publishing: 1, processing: 1},
	publish: func(tp trace.TracerProvider) func(int) {
		ctx, tracer, msg := request(tp), tp.Tracer("by-hand"), order()
		return func(n int) {
			for range n {
				_ = publishByHand(ctx, tracer, msg)
			}
		}
	},
	process: func(tp trace.TracerProvider) func(int) {
		tracer, d := tp.Tracer("by-hand"), delivery(nowhere{})
		return func(n int) {
			for range n {
				_ = processByHand(context.Background(), tracer, d)
			}
		}
	},
}

type table map[string]any

func (t table) Get(key string) string {
	s, _ := t[key].(string)
	return s
}
func (t table) Set(key, value string) { t[key] = value }
func (table) Keys() []string          { return nil }

func publishByHand(ctx context.Context, tracer trace.Tracer, msg amqp.Publishing) error {
	ctx, span := tracer.Start(ctx, "publish "+exchange, trace.WithSpanKind(trace.SpanKindProducer), trace.WithAttributes(
		semconv.MessagingSystemRabbitMQ,
		semconv.MessagingOperationName("publish"),
		semconv.MessagingOperationTypeSend,
		semconv.MessagingDestinationName(exchange+":"+routingKey),
		semconv.MessagingRabbitMQDestinationRoutingKey(routingKey),
		semconv.MessagingMessageID(msg.MessageId),
	))
	defer span.End()
	headers := maps.Clone(msg.Headers)
	delete(headers, "traceparent")
	delete(headers, "tracestate")
	delete(headers, "baggage")
	propagator.Inject(ctx, table(headers))
	msg.Headers = headers
	_, err := nowhere{}.PublishWithDeferredConfirmWithContext(ctx, exchange, routingKey, false, false, msg)
	return err
}

func processByHand(ctx context.Context, tracer trace.Tracer, d amqp.Delivery) error {
	ctx = propagator.Extract(ctx, table(d.Headers))
	ctx, span := tracer.Start(ctx, "process "+queue, trace.WithSpanKind(trace.SpanKindConsumer),
		trace.WithLinks(trace.Link{SpanContext: trace.SpanContextFromContext(ctx)}), trace.WithAttributes(
			semconv.MessagingSystemRabbitMQ,
			semconv.MessagingOperationName("process"),
			semconv.MessagingOperationTypeProcess,
			semconv.MessagingDestinationName(d.Exchange+":"+d.RoutingKey+":"+queue),
			semconv.MessagingRabbitMQDestinationRoutingKey(d.RoutingKey),
			semconv.MessagingRabbitMQMessageDeliveryTag(int(d.DeliveryTag)),
			attribute.Int("mqtrace.attempt", 1),
			semconv.MessagingMessageID(d.MessageId),
		))
	defer span.End()
	err := handle(ctx, d)
	span.SetAttributes(attribute.String("mqtrace.settlement", "ack"))
	return err
}
