package main

import (
	"context"

	amqp "github.com/rabbitmq/amqp091-go"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/codes"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"github.com/mqtrace/mqtrace/carrier"
)

// bus is a team's own message client. For another broker, use carrier.Headers if its
// headers are strings; the rest stays the same.
type bus struct {
	ch       *amqp.Channel
	exchange string
	tracer   trace.Tracer
}

func newBus(ch *amqp.Channel, exchange string, provider trace.TracerProvider) *bus {
	return &bus{ch: ch, exchange: exchange, tracer: provider.Tracer("example.com/bus")}
}

// send starts a span of kind PRODUCER and puts that span's context into the message, so
// that the span of the processing is its child and not its sibling.
func (b *bus) send(ctx context.Context, topic string, body []byte) (err error) {
	// The name has the exchange and not the topic, because span names must be few. All
	// attributes known by now are set at the start, since a sampler sees no others.
	ctx, span := b.tracer.Start(ctx, "send "+b.exchange,
		trace.WithSpanKind(trace.SpanKindProducer),
		trace.WithAttributes(
			semconv.MessagingSystemRabbitMQ,
			semconv.MessagingOperationName("send"), semconv.MessagingOperationTypeSend,
			semconv.MessagingDestinationName(b.exchange+":"+topic),
		))
	defer func() { end(span, err, true) }()

	// If you pass headers of your own instead of nil, Inject returns a copy with both.
	headers := carrier.Table(nil).Inject(ctx, otel.GetTextMapPropagator())
	return b.ch.PublishWithContext(ctx, b.exchange, topic, false, false, amqp.Publishing{
		Headers: amqp.Table(headers), Body: body,
	})
}

// subscribe calls handle for each message until there are no more or ctx is done.
func (b *bus) subscribe(
	ctx context.Context, queue string, deliveries <-chan amqp.Delivery,
	handle func(ctx context.Context, body []byte) error,
) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case d, ok := <-deliveries:
			if !ok {
				return nil
			}
			settle := d.Ack
			if err := b.process(ctx, queue, d, handle); err != nil {
				settle = func(bool) error { return d.Reject(false) }
			}
			if err := settle(false); err != nil {
				return err
			}
		}
	}
}

// process handles a message under a span of kind CONSUMER.
func (b *bus) process(
	ctx context.Context, queue string, d amqp.Delivery, handle func(ctx context.Context, body []byte) error,
) (err error) {
	// Extract from a context without a span: if a message has no trace context, Extract
	// returns its context unchanged, and a span in it would be taken for the sender's.
	ctx = trace.ContextWithSpanContext(ctx, trace.SpanContext{})
	ctx = carrier.Table(d.Headers).Extract(ctx, otel.GetTextMapPropagator())
	opts := []trace.SpanStartOption{
		trace.WithSpanKind(trace.SpanKindConsumer),
		trace.WithAttributes(
			semconv.MessagingSystemRabbitMQ,
			semconv.MessagingOperationName("process"), semconv.MessagingOperationTypeProcess,
			semconv.MessagingDestinationName(d.Exchange+":"+d.RoutingKey+":"+queue),
		),
	}
	// The sender is the parent, for one trace from end to end, and is linked too:
	// OpenTelemetry's conventions tie a message to its sender by a link, whatever the
	// parent.
	if sender := trace.SpanContextFromContext(ctx); sender.IsValid() {
		opts = append(opts, trace.WithLinks(trace.Link{SpanContext: sender}))
	}
	ctx, span := b.tracer.Start(ctx, "process "+queue, opts...)
	returned := false
	defer func() { end(span, err, returned) }()
	err = handle(ctx, d.Body)
	returned = true
	return err
}

// end records the outcome and ends the span; returned is false in a panic. Both callers
// defer it in a closure: "defer span.End()" would recover and panic again, which loses the
// place where the panic happened.
func end(span trace.Span, err error, returned bool) {
	switch {
	case !returned:
		span.SetStatus(codes.Error, "panic")
		span.SetAttributes(semconv.ErrorTypeKey.String("panic"))
	case err != nil:
		span.SetStatus(codes.Error, err.Error())
		span.SetAttributes(semconv.ErrorType(err))
	}
	span.End()
}
