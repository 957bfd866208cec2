package amqptrace_test

import (
	"context"
	"fmt"
	"maps"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	metricnoop "go.opentelemetry.io/otel/metric/noop"
	"go.opentelemetry.io/otel/propagation"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/exemplar"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/mqtrace/mqtrace/amqptrace"
	"github.com/mqtrace/mqtrace/internal/sidebyside"
)

// The floor is what a careful engineer would write by hand for the same spans in one
// program: the same attributes built for each message, the same clone, inject,
// extract, link and end. It knows one propagator, no letter case of headers, no
// ambient span and no panic. The ratio to it is the package's own cost.
type floor struct {
	tracer     trace.Tracer
	propagator propagation.TextMapPropagator
}

type floorCarrier map[string]any

func (c floorCarrier) Get(key string) string {
	s, _ := c[key].(string)
	return s
}
func (c floorCarrier) Set(key, value string) { c[key] = value }
func (c floorCarrier) Keys() []string        { return nil }

func (f floor) publish(ctx context.Context, ch *benchChannel, exchange, key string, msg amqp.Publishing) error {
	attrs := []attribute.KeyValue{
		semconv.MessagingSystemRabbitMQ,
		semconv.MessagingOperationName("publish"),
		semconv.MessagingOperationTypeSend,
		semconv.MessagingDestinationName(exchange + ":" + key),
		semconv.MessagingRabbitMQDestinationRoutingKey(key),
		semconv.MessagingMessageID(msg.MessageId),
	}
	ctx, span := f.tracer.Start(ctx, "publish "+exchange,
		trace.WithSpanKind(trace.SpanKindProducer), trace.WithAttributes(attrs...))
	defer span.End()
	headers := maps.Clone(msg.Headers)
	if headers == nil {
		headers = make(amqp.Table, 3)
	}
	delete(headers, "traceparent")
	delete(headers, "tracestate")
	delete(headers, "baggage")
	f.propagator.Inject(ctx, floorCarrier(headers))
	msg.Headers = headers
	_, err := ch.PublishWithDeferredConfirmWithContext(ctx, exchange, key, false, false, msg)
	return err
}

func (f floor) process(ctx context.Context, queue string, d amqp.Delivery, handle func(context.Context, amqp.Delivery) error) error {
	ctx = f.propagator.Extract(ctx, floorCarrier(d.Headers))
	attrs := []attribute.KeyValue{
		semconv.MessagingSystemRabbitMQ,
		semconv.MessagingOperationName("process"),
		semconv.MessagingOperationTypeProcess,
		semconv.MessagingDestinationName(d.Exchange + ":" + d.RoutingKey + ":" + queue),
		semconv.MessagingRabbitMQDestinationRoutingKey(d.RoutingKey),
		semconv.MessagingRabbitMQMessageDeliveryTag(int(d.DeliveryTag)),
		attribute.Int("mqtrace.attempt", 1),
		semconv.MessagingMessageID(d.MessageId),
	}
	ctx, span := f.tracer.Start(ctx, "process "+queue,
		trace.WithSpanKind(trace.SpanKindConsumer), trace.WithAttributes(attrs...),
		trace.WithLinks(trace.Link{SpanContext: trace.SpanContextFromContext(ctx)}))
	defer span.End()
	err := handle(ctx, d)
	span.SetAttributes(attribute.String("mqtrace.settlement", "ack"))
	return err
}

// benchChannel is a host that costs nothing.
type benchChannel struct{}

func (*benchChannel) PublishWithDeferredConfirmWithContext(
	context.Context, string, string, bool, bool, amqp.Publishing,
) (*amqp.DeferredConfirmation, error) {
	return nil, nil //nolint:nilnil // as amqp091-go does outside confirm mode
}

type benchAcknowledger struct{}

func (benchAcknowledger) Ack(uint64, bool) error        { return nil }
func (benchAcknowledger) Nack(uint64, bool, bool) error { return nil }
func (benchAcknowledger) Reject(uint64, bool) error     { return nil }

// dropping is a processor that makes the SDK record spans and costs nothing itself.
type dropping struct{}

func (dropping) OnStart(context.Context, sdktrace.ReadWriteSpan) {}
func (dropping) OnEnd(sdktrace.ReadOnlySpan)                     {}
func (dropping) Shutdown(context.Context) error                  { return nil }
func (dropping) ForceFlush(context.Context) error                { return nil }

var benchProviders = []struct {
	name     string
	provider trace.TracerProvider
}{
	{"noop", noop.NewTracerProvider()},
	{"unsampled", sdktrace.NewTracerProvider(sdktrace.WithSampler(sdktrace.NeverSample()), sdktrace.WithSpanProcessor(dropping{}))},
	{"sampled", sdktrace.NewTracerProvider(sdktrace.WithSampler(sdktrace.AlwaysSample()), sdktrace.WithSpanProcessor(dropping{}))},
}

// Metrics are measured beside the same without: the floor is amqptrace itself.
func BenchmarkMetrics(b *testing.B) {
	publish, process := withAndWithoutMetrics(b)
	b.Run("publish", func(b *testing.B) { sidebyside.Run(b, publish[0], publish[1]) })
	b.Run("process", func(b *testing.B) { sidebyside.Run(b, process[0], process[1]) })
}

// Exemplars, which the SDK takes of sampled spans and for which it allocates, are off.
func withAndWithoutMetrics(tb testing.TB) (publish, process [2]func(n int)) {
	tb.Helper()
	headers, _ := message(tb)
	d := amqp.Delivery{
		Acknowledger: benchAcknowledger{}, Headers: headers, DeliveryTag: 7, Exchange: "orders", RoutingKey: "order.created",
	}
	handle := func(_ context.Context, d amqp.Delivery) error { return d.Ack(false) }
	for i, meters := range []metric.MeterProvider{
		metricnoop.NewMeterProvider(),
		sdkmetric.NewMeterProvider(sdkmetric.WithReader(sdkmetric.NewManualReader()),
			sdkmetric.WithExemplarFilter(exemplar.AlwaysOffFilter)),
	} {
		options := []amqptrace.Option{
			amqptrace.WithTracerProvider(benchProviders[2].provider), amqptrace.WithPropagators(propagator),
			amqptrace.WithMeterProvider(meters),
		}
		pub := amqptrace.NewPublisher(&benchChannel{}, options...)
		traced := amqptrace.NewConsumer("billing", options...).Handler(handle)
		publish[i] = func(n int) {
			for range n {
				_ = pub.PublishWithContext(context.Background(), "orders", "order.created", false, false, amqp.Publishing{})
			}
		}
		process[i] = func(n int) {
			for range n {
				_ = traced(context.Background(), d)
			}
		}
	}
	return publish, process
}

func TestMetricsAllocateOnceAMessage(t *testing.T) {
	publish, process := withAndWithoutMetrics(t)
	for name, sides := range map[string][2]func(n int){"publish": publish, "process": process} {
		without := testing.AllocsPerRun(10, func() { sides[0](100) }) / 100
		with := testing.AllocsPerRun(10, func() { sides[1](100) }) / 100
		if with > without+1.01 {
			t.Errorf("%s: %.2f allocations with metrics, %.2f without", name, with, without)
		}
	}
}

func BenchmarkPublish(b *testing.B) {
	msg := amqp.Publishing{
		MessageId: "b9f1c6a2", Body: []byte("order"),
		Headers: amqp.Table{"content-version": int32(2), "source": "checkout", "attempts": int64(1)},
	}
	for _, p := range benchProviders {
		ctx, span := p.provider.Tracer("bench").Start(tenantContext(b), "POST /orders")
		b.Run(p.name, func(b *testing.B) {
			f := floor{p.provider.Tracer("floor"), propagator}
			pub := amqptrace.NewPublisher(&benchChannel{},
				amqptrace.WithTracerProvider(p.provider), amqptrace.WithPropagators(propagator))
			sidebyside.Run(b, func(n int) {
				for range n {
					_ = f.publish(ctx, &benchChannel{}, "orders", "order.created", msg)
				}
			}, func(n int) {
				for range n {
					_ = pub.PublishWithContext(ctx, "orders", "order.created", false, false, msg)
				}
			})
		})
		span.End()
	}
}

func BenchmarkProcess(b *testing.B) {
	headers, _ := message(b)
	maps.Copy(headers, amqp.Table{
		"baggage": "tenant.id=t1", "content-version": int32(2), "source": "checkout", "attempts": int64(1),
	})
	d := amqp.Delivery{
		Acknowledger: benchAcknowledger{}, Headers: headers, MessageId: "b9f1c6a2", DeliveryTag: 7,
		Exchange: "orders", RoutingKey: "order.created", Body: []byte("order"),
	}
	handle := func(_ context.Context, d amqp.Delivery) error { return d.Ack(false) }
	for _, p := range benchProviders {
		b.Run(p.name, func(b *testing.B) {
			f := floor{p.provider.Tracer("floor"), propagator}
			traced := amqptrace.NewConsumer("billing",
				amqptrace.WithTracerProvider(p.provider), amqptrace.WithPropagators(propagator)).Handler(handle)
			sidebyside.Run(b, func(n int) {
				for range n {
					_ = f.process(context.Background(), "billing", d, handle)
				}
			}, func(n int) {
				for range n {
					_ = traced(context.Background(), d)
				}
			})
		})
	}
}

// What a message costs does not depend on how many consumers there are: the floor is one
// consumer that takes all the messages, the subject as many as the name says, in turns.
func BenchmarkConsumers(b *testing.B) {
	headers, _ := message(b)
	handle := func(_ context.Context, d amqp.Delivery) error { return d.Ack(false) }
	consumers := func(n int) []func(context.Context, amqp.Delivery) error {
		out := make([]func(context.Context, amqp.Delivery) error, n)
		for i := range out {
			out[i] = amqptrace.NewConsumer(fmt.Sprintf("billing-%03d", i),
				amqptrace.WithTracerProvider(benchProviders[2].provider), amqptrace.WithPropagators(propagator)).Handler(handle)
		}
		return out
	}
	d := amqp.Delivery{Acknowledger: benchAcknowledger{}, Headers: headers, Exchange: "orders", RoutingKey: "order.created"}
	taking := func(handlers []func(context.Context, amqp.Delivery) error) func(n int) {
		next := 0
		return func(n int) {
			for range n {
				_ = handlers[next%len(handlers)](context.Background(), d)
				next++
			}
		}
	}
	for _, n := range []int{1, 10, 100, 500} {
		b.Run(fmt.Sprintf("consumers=%d", n), func(b *testing.B) {
			sidebyside.Run(b, taking(consumers(1)), taking(consumers(n)))
		})
	}
}
