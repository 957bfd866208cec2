package main

import (
	"context"

	"github.com/IBM/sarama"
	"github.com/dnwe/otelsarama"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/plugin/kotel"
	"go.opentelemetry.io/otel/attribute"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"
)

func record() *kgo.Record {
	return &kgo.Record{
		Topic: exchange, Key: []byte(routingKey), Value: make([]byte, 512),
		Headers: []kgo.RecordHeader{
			{Key: version, Value: []byte("2")}, {Key: source, Value: []byte(checkout)}, {Key: attempts, Value: []byte("1")},
		},
	}
}

// kotelHooks is what franz-go's plugin does for a record, without franz-go. It has a
// receive span beside the process span.
var kotelHooks = contender{
	name: "kotel", beside: byHand,
	spans: map[string]int{publishing: 1, processing: 2},
	publish: func(tp trace.TracerProvider) func(int) {
		ctx, tracer, sent := request(tp), kotel.NewTracer(kotel.TracerProvider(tp), kotel.TracerPropagator(propagator)), record()
		return func(n int) {
			for range n {
				r := *sent // as a program makes a record of its own for each message
				r.Headers = append([]kgo.RecordHeader(nil), sent.Headers...)
				r.Context = ctx
				tracer.OnProduceRecordBuffered(&r)
				tracer.OnProduceRecordUnbuffered(&r, nil)
			}
		}
	},
	process: func(tp trace.TracerProvider) func(int) {
		tracer := kotel.NewTracer(kotel.TracerProvider(tp), kotel.TracerPropagator(propagator), kotel.ConsumerGroup(queue))
		received := record()
		received.Headers = append(received.Headers,
			kgo.RecordHeader{Key: "traceparent", Value: []byte(traceparent)}, kgo.RecordHeader{Key: "baggage", Value: []byte(baggageHeader)})
		return func(n int) {
			for range n {
				r := *received
				tracer.OnFetchRecordBuffered(&r)
				tracer.OnFetchRecordUnbuffered(&r, true)
				_, span := tracer.WithProcessSpan(&r)
				span.End()
			}
		}
	},
}

// saramaCarriers moves the context with otelsarama's carriers, in spans by hand:
// otelsarama's own consumer spans end when the next message comes.
var saramaCarriers = contender{
	name: "otelsarama's carriers", beside: byHand,
	spans: map[string]int{publishing: 1, processing: 1},
	publish: func(tp trace.TracerProvider) func(int) {
		ctx, tracer := request(tp), tp.Tracer("sarama")
		headers := []sarama.RecordHeader{
			{Key: []byte(version), Value: []byte("2")}, {Key: []byte(source), Value: []byte(checkout)}, {Key: []byte(attempts), Value: []byte("1")},
		}
		return func(n int) {
			for range n {
				msg := sarama.ProducerMessage{Topic: exchange, Headers: append([]sarama.RecordHeader(nil), headers...)}
				ctx, span := tracer.Start(ctx, exchange+" publish", trace.WithSpanKind(trace.SpanKindProducer), trace.WithAttributes(
					semconv.MessagingSystemKafka, semconv.MessagingOperationName("publish"), semconv.MessagingOperationTypeSend,
					semconv.MessagingDestinationName(msg.Topic), semconv.MessagingMessageID(messageID), attribute.Int("messaging.message.body.size", 512),
				))
				propagator.Inject(ctx, otelsarama.NewProducerMessageCarrier(&msg))
				span.End()
			}
		}
	},
	process: func(tp trace.TracerProvider) func(int) {
		tracer := tp.Tracer("sarama")
		msg := sarama.ConsumerMessage{Topic: exchange, Headers: []*sarama.RecordHeader{
			{Key: []byte("traceparent"), Value: []byte(traceparent)}, {Key: []byte("baggage"), Value: []byte(baggageHeader)},
			{Key: []byte(version), Value: []byte("2")}, {Key: []byte(source), Value: []byte(checkout)}, {Key: []byte(attempts), Value: []byte("1")},
		}}
		return func(n int) {
			for range n {
				ctx := propagator.Extract(context.Background(), otelsarama.NewConsumerMessageCarrier(&msg))
				_, span := tracer.Start(ctx, exchange+" process", trace.WithSpanKind(trace.SpanKindConsumer),
					trace.WithLinks(trace.Link{SpanContext: trace.SpanContextFromContext(ctx)}), trace.WithAttributes(
						semconv.MessagingSystemKafka, semconv.MessagingOperationName("process"), semconv.MessagingOperationTypeProcess,
						semconv.MessagingDestinationName(msg.Topic), semconv.MessagingMessageID(messageID), attribute.Int("messaging.kafka.offset", 7),
					))
				span.End()
			}
		}
	},
}
