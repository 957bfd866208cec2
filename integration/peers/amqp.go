package main

import (
	"context"

	amqp "github.com/rabbitmq/amqp091-go"
	"go.opentelemetry.io/otel/trace"

	"github.com/mqtrace/mqtrace/amqptrace"
)

func order() amqp.Publishing {
	return amqp.Publishing{
		MessageId: messageID, ContentType: "application/json", Body: make([]byte, 512),
		Headers: amqp.Table{version: int32(2), source: checkout, attempts: int64(1)},
	}
}

func delivery(a amqp.Acknowledger) amqp.Delivery {
	return amqp.Delivery{
		Acknowledger: a, MessageId: messageID, DeliveryTag: 7,
		Exchange: exchange, RoutingKey: routingKey, Body: make([]byte, 512),
		Headers: amqp.Table{
			"traceparent": traceparent, "baggage": baggageHeader,
			version: int32(2), source: checkout, attempts: int64(1),
		},
	}
}

func handle(_ context.Context, d amqp.Delivery) error { return d.Ack(false) }

// nowhere is a host that costs nothing, so that what is left is the tracing.
type nowhere struct{}

func (nowhere) PublishWithDeferredConfirmWithContext(
	context.Context, string, string, bool, bool, amqp.Publishing,
) (*amqp.DeferredConfirmation, error) {
	return nil, nil
}
func (nowhere) Ack(uint64, bool) error        { return nil }
func (nowhere) Nack(uint64, bool, bool) error { return nil }
func (nowhere) Reject(uint64, bool) error     { return nil }

func options(tp trace.TracerProvider) []amqptrace.Option {
	return []amqptrace.Option{amqptrace.WithTracerProvider(tp), amqptrace.WithPropagators(propagator)}
}

// publisherHost is what amqptrace.NewPublisher takes.
type publisherHost interface {
	PublishWithDeferredConfirmWithContext(
		ctx context.Context, exchange, key string, mandatory, immediate bool, msg amqp.Publishing,
	) (*amqp.DeferredConfirmation, error)
}

func mqtracePublish(tp trace.TracerProvider, host publisherHost) func(int) {
	ctx, pub, msg := request(tp), amqptrace.NewPublisher(host, options(tp)...), order()
	return func(n int) {
		for range n {
			_ = pub.PublishWithContext(ctx, exchange, routingKey, false, false, msg)
		}
	}
}

func mqtraceProcess(tp trace.TracerProvider, a amqp.Acknowledger) func(int) {
	traced, d := amqptrace.NewConsumer(queue, options(tp)...).Handler(handle), delivery(a)
	return func(n int) {
		for range n {
			_ = traced(context.Background(), d)
		}
	}
}

var mqtraceAlone = contender{
	name: "amqptrace", beside: byHand,
	spans:   map[string]int{publishing: 1, processing: 1},
	publish: func(tp trace.TracerProvider) func(int) { return mqtracePublish(tp, nowhere{}) },
	process: func(tp trace.TracerProvider) func(int) { return mqtraceProcess(tp, nowhere{}) },
}

const raw = "amqp091-go"

// mqtraceOnSink and rawOnSink have a real channel, whose frames go nowhere.
var mqtraceOnSink = contender{
	name: raw + " with amqptrace", beside: raw,
	spans:   map[string]int{publishing: 1, processing: 1},
	publish: func(tp trace.TracerProvider) func(int) { return mqtracePublish(tp, sink()) },
	process: func(tp trace.TracerProvider) func(int) { return mqtraceProcess(tp, sink()) },
}

var rawOnSink = contender{
	name: raw, beside: raw,
	publish: func(trace.TracerProvider) func(int) {
		ch, msg := sink(), order()
		return func(n int) {
			for range n {
				_ = ch.PublishWithContext(context.Background(), exchange, routingKey, false, false, msg)
			}
		}
	},
	process: func(trace.TracerProvider) func(int) {
		d := delivery(sink())
		return func(n int) {
			for range n {
				_ = handle(context.Background(), d)
			}
		}
	},
}
