package main

import (
	"context"
	"slices"

	"github.com/IBM/sarama"
	"github.com/dnwe/otelsarama"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/plugin/kotel"
	"go.opentelemetry.io/otel/attribute"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"
)

func record(more ...kgo.RecordHeader) kgo.Record {
	return kgo.Record{Topic: exchange, Key: []byte(routingKey), Value: make([]byte, 512), Headers: append([]kgo.RecordHeader{
		{Key: version, Value: []byte("2")}, {Key: source, Value: []byte(checkout)}, {Key: attempts, Value: []byte("1")},
	}, more...)}
}

// kotelPublish does what franz-go's plugin does for a record, without franz-go.
func kotelPublish(tp trace.TracerProvider) (work, error) {
	ctx, tracer, sent := request(tp), kotel.NewTracer(kotel.TracerProvider(tp), kotel.TracerPropagator(propagator)), record()
	return repeat(func() error {
		r := sent // a program makes a record for each message
		r.Headers, r.Context = slices.Clone(sent.Headers), ctx
		tracer.OnProduceRecordBuffered(&r)
		tracer.OnProduceRecordUnbuffered(&r, nil)
		return nil
	}), nil
}

func kotelProcess(tp trace.TracerProvider) (work, error) {
	tracer := kotel.NewTracer(kotel.TracerProvider(tp), kotel.TracerPropagator(propagator), kotel.ConsumerGroup(queue))
	received := record(kgo.RecordHeader{Key: traceparentKey, Value: []byte(traceparent)}, kgo.RecordHeader{Key: baggageKey, Value: []byte(baggageHeader)})
	return repeat(func() error {
		r := received
		tracer.OnFetchRecordBuffered(&r)
		tracer.OnFetchRecordUnbuffered(&r, true)
		_, span := tracer.WithProcessSpan(&r)
		span.End()
		return nil
	}), nil
}

// saramaPublish propagates the context with otelsarama's carrier, in a span made by hand,
// because the spans of otelsarama's own consumer end only when the next message arrives.
func saramaPublish(tp trace.TracerProvider) (work, error) {
	ctx, tracer := request(tp), tp.Tracer("sarama")
	headers := []sarama.RecordHeader{
		{Key: []byte(version), Value: []byte("2")}, {Key: []byte(source), Value: []byte(checkout)}, {Key: []byte(attempts), Value: []byte("1")},
	}
	return repeat(func() error {
		msg := sarama.ProducerMessage{Topic: exchange, Headers: slices.Clone(headers)}
		ctx, span := tracer.Start(ctx, "publish "+exchange, trace.WithSpanKind(trace.SpanKindProducer),
			kafka("publish", semconv.MessagingOperationTypeSend, semconv.MessagingMessageBodySize(512)))
		propagator.Inject(ctx, otelsarama.NewProducerMessageCarrier(&msg))
		span.End()
		return nil
	}), nil
}

func saramaProcess(tp trace.TracerProvider) (work, error) {
	tracer := tp.Tracer("sarama")
	msg := sarama.ConsumerMessage{Topic: exchange, Headers: []*sarama.RecordHeader{
		{Key: []byte(traceparentKey), Value: []byte(traceparent)}, {Key: []byte(baggageKey), Value: []byte(baggageHeader)},
		{Key: []byte(version), Value: []byte("2")}, {Key: []byte(source), Value: []byte(checkout)}, {Key: []byte(attempts), Value: []byte("1")},
	}}
	return repeat(func() error {
		ctx := propagator.Extract(context.Background(), otelsarama.NewConsumerMessageCarrier(&msg))
		_, span := tracer.Start(ctx, "process "+exchange, trace.WithSpanKind(trace.SpanKindConsumer),
			trace.WithLinks(trace.Link{SpanContext: trace.SpanContextFromContext(ctx)}),
			kafka("process", semconv.MessagingOperationTypeProcess, semconv.MessagingKafkaOffset(7)))
		span.End()
		return nil
	}), nil
}

func kafka(operation string, operationType, more attribute.KeyValue) trace.SpanStartOption {
	return trace.WithAttributes(semconv.MessagingSystemKafka, semconv.MessagingOperationName(operation), operationType,
		semconv.MessagingDestinationName(exchange), semconv.MessagingMessageID(messageID), more)
}
