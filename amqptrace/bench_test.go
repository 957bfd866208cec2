package amqptrace_test

import (
	"context"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/mqtrace/mqtrace/amqptrace"
)

func BenchmarkPublish(b *testing.B) { bench(b, publishing) }
func BenchmarkProcess(b *testing.B) { bench(b, processing) }

// bench runs an operation in a program without an SDK and in one that records every span.
func bench(b *testing.B, start func(opts ...amqptrace.Option) func()) {
	b.Helper()
	for name, tp := range map[string]trace.TracerProvider{
		"noop": noop.NewTracerProvider(), "recording": sdktrace.NewTracerProvider(),
	} {
		b.Run(name, func(b *testing.B) {
			operation := start(amqptrace.WithTracerProvider(tp), amqptrace.WithPropagators(propagator))
			b.ReportAllocs()
			for b.Loop() {
				operation()
			}
		})
	}
}

func publishing(opts ...amqptrace.Option) func() {
	pub := amqptrace.NewPublisher(benchHost{}, opts...)
	msg := amqp.Publishing{MessageId: "b9f1c6a2", Headers: amqp.Table{"source": "checkout"}}
	return func() {
		_ = pub.PublishWithContext(context.Background(), "orders", "order.created", false, false, msg)
	}
}

func processing(opts ...amqptrace.Option) func() {
	handle := amqptrace.NewConsumer("billing", opts...).Handler(
		func(_ context.Context, d amqp.Delivery) error { return d.Ack(false) })
	d := amqp.Delivery{
		Acknowledger: benchHost{}, MessageId: "b9f1c6a2", DeliveryTag: 7, Exchange: "orders", RoutingKey: "order.created",
		Headers: amqp.Table{"traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"},
	}
	return func() { _ = handle(context.Background(), d) }
}

// benchHost is a channel that costs nothing.
type benchHost struct{ amqp.Acknowledger }

func (benchHost) PublishWithDeferredConfirmWithContext(
	context.Context, string, string, bool, bool, amqp.Publishing,
) (*amqp.DeferredConfirmation, error) {
	return nil, nil
}
func (benchHost) Ack(uint64, bool) error { return nil }
