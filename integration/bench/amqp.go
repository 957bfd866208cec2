package main

import (
	"context"
	"sync"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"github.com/mqtrace/mqtrace/amqptrace"
)

func options(tp trace.TracerProvider) []amqptrace.Option {
	return []amqptrace.Option{amqptrace.WithTracerProvider(tp), amqptrace.WithPropagators(propagator)}
}

func amqptracePublish(tp trace.TracerProvider) (work, error) {
	ctx, pub, msg := request(tp), amqptrace.NewPublisher(nowhere{}, options(tp)...), order()
	return repeat(func() error {
		return pub.PublishWithContext(ctx, exchange, routingKey, false, false, msg)
	}), nil
}

func amqptraceProcess(tp trace.TracerProvider) (work, error) {
	handle, d := amqptrace.NewConsumer(queue, options(tp)...).Handler(acknowledge), delivery()
	return repeat(func() error { return handle(context.Background(), d) }), nil
}

func order() amqp.Publishing {
	return amqp.Publishing{
		MessageId: messageID, ContentType: "application/json", Body: make([]byte, 512),
		Headers: amqp.Table{version: int32(2), source: checkout, attempts: int64(1)},
	}
}

func delivery() amqp.Delivery {
	return amqp.Delivery{
		Acknowledger: nowhere{}, MessageId: messageID, DeliveryTag: 7,
		Exchange: exchange, RoutingKey: routingKey, Body: make([]byte, 512),
		Headers: amqp.Table{
			traceparentKey: traceparent, baggageKey: baggageHeader,
			version: int32(2), source: checkout, attempts: int64(1),
		},
	}
}

func acknowledge(_ context.Context, d amqp.Delivery) error { return d.Ack(false) }

// nowhere is a channel whose calls cost nothing.
type nowhere struct{}

func (nowhere) PublishWithDeferredConfirmWithContext(
	context.Context, string, string, bool, bool, amqp.Publishing,
) (*amqp.DeferredConfirmation, error) {
	return nil, nil
}
func (nowhere) Ack(uint64, bool) error        { return nil }
func (nowhere) Nack(uint64, bool, bool) error { return nil }
func (nowhere) Reject(uint64, bool) error     { return nil }

func handPublish(tp trace.TracerProvider) (work, error) {
	ctx, tracer, msg := request(tp), tp.Tracer(byHand), order()
	return repeat(func() error { return publishByHand(ctx, tracer, nowhere{}, msg) }), nil
}

func publishByHand(ctx context.Context, tracer trace.Tracer, ch amqptrace.Channel, msg amqp.Publishing) (err error) {
	ctx, span := tracer.Start(ctx, "publish "+exchange, trace.WithSpanKind(trace.SpanKindProducer), trace.WithAttributes(
		semconv.MessagingSystemRabbitMQ,
		semconv.MessagingOperationName("publish"),
		semconv.MessagingOperationTypeSend,
		semconv.MessagingDestinationName(exchange+":"+routingKey),
		semconv.MessagingDestinationTemplate(exchange),
		semconv.MessagingRabbitMQDestinationRoutingKey(routingKey),
		semconv.MessagingMessageID(msg.MessageId),
	))
	defer span.End()
	msg.Headers = inject(ctx, msg.Headers)
	_, err = ch.PublishWithDeferredConfirmWithContext(ctx, exchange, routingKey, false, false, msg)
	failed(span, err)
	return err
}

func handProcess(tp trace.TracerProvider) (work, error) {
	tracer, d := tp.Tracer(byHand), delivery()
	return repeat(func() error { return processByHand(context.Background(), tracer, d, acknowledge) }), nil
}

func processByHand(ctx context.Context, tracer trace.Tracer, d amqp.Delivery, handle func(context.Context, amqp.Delivery) error) error {
	attempt, deaths := history(d)
	ctx, link := extract(ctx, d.Headers)
	ctx, span := tracer.Start(ctx, "process "+queue, trace.WithSpanKind(trace.SpanKindConsumer), link, trace.WithAttributes(
		semconv.MessagingSystemRabbitMQ,
		semconv.MessagingOperationName("process"),
		semconv.MessagingOperationTypeProcess,
		semconv.MessagingDestinationName(d.Exchange+":"+d.RoutingKey+":"+queue),
		semconv.MessagingDestinationTemplate(queue),
		semconv.MessagingRabbitMQDestinationRoutingKey(d.RoutingKey),
		semconv.MessagingRabbitMQMessageDeliveryTag(int(d.DeliveryTag)),
		semconv.MessagingMessageID(d.MessageId),
		attribute.Int("mqtrace.attempt", attempt),
	))
	defer span.End()
	span.SetAttributes(deaths...)
	s := &settling{Acknowledger: d.Acknowledger, how: ""}
	d.Acknowledger = s
	err := handle(ctx, d)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.how != "" {
		span.SetAttributes(attribute.String("mqtrace.settlement", s.how))
	}
	failed(span, err)
	if err == nil && (s.how == "nack" || s.how == "reject") {
		span.SetStatus(codes.Error, "message was given up: "+s.how)
		span.SetAttributes(semconv.ErrorTypeKey.String("rejected"))
	}
	return err
}

// settling is an acknowledger that records how a message was settled. The handler may
// settle it in another goroutine.
type settling struct {
	amqp.Acknowledger

	mu  sync.Mutex
	how string
}

func (s *settling) Ack(tag uint64, multiple bool) error {
	return s.note("ack", false, s.Acknowledger.Ack(tag, multiple))
}

func (s *settling) Nack(tag uint64, multiple, requeue bool) error {
	return s.note("nack", requeue, s.Acknowledger.Nack(tag, multiple, requeue))
}

func (s *settling) Reject(tag uint64, requeue bool) error {
	return s.note("reject", requeue, s.Acknowledger.Reject(tag, requeue))
}

func (s *settling) note(how string, requeue bool, err error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if requeue {
		how = "requeue"
	}
	if err == nil && s.how == "" { // only the first settlement counts for the broker
		s.how = how
	}
	return err
}

// history returns how often a message has been delivered to this queue, and what its
// headers say about its deaths.
func history(d amqp.Delivery) (attempt int, attributes []attribute.KeyValue) {
	attempt = 1
	if d.Redelivered {
		acquired, _ := d.Headers["x-acquired-count"].(int64)
		returned, _ := d.Headers["x-delivery-count"].(int64)
		attempt += int(max(1, acquired, returned))
	}
	deaths, _ := d.Headers["x-death"].([]any)
	if len(deaths) == 0 {
		return attempt, nil
	}
	var total int64
	var queues, reasons, times []string
	var counts []int64
	for _, entry := range deaths {
		death, _ := entry.(amqp.Table)
		q, _ := death["queue"].(string)
		reason, _ := death["reason"].(string)
		n, _ := death["count"].(int64)
		first, _ := death["time"].(time.Time)
		if q == queue && (reason == "rejected" || reason == "delivery_limit") {
			attempt += int(n)
		}
		total += n
		queues, reasons, counts = append(queues, q), append(reasons, reason), append(counts, n)
		times = append(times, first.UTC().Format(time.RFC3339))
	}
	return attempt, []attribute.KeyValue{
		attribute.Int64("mqtrace.dead_letter.count", total),
		attribute.StringSlice("mqtrace.dead_letter.queues", queues),
		attribute.StringSlice("mqtrace.dead_letter.reasons", reasons),
		attribute.Int64Slice("mqtrace.dead_letter.counts", counts),
		attribute.StringSlice("mqtrace.dead_letter.times", times),
	}
}
