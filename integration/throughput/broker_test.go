package throughput_test

import (
	"context"
	"fmt"
	"os"
	"sync/atomic"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"
	"go.opentelemetry.io/otel/propagation"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/mqtrace/mqtrace/amqptrace"
	"github.com/mqtrace/mqtrace/internal/amqpbroker"
)

var sequence atomic.Int64

// setUp opens a channel in confirm mode and declares a queue of its own.
func setUp(b *testing.B) (ch *amqp.Channel, queue string) {
	b.Helper()
	url := os.Getenv("MQTRACE_AMQP_URL")
	if url == "" {
		broker, err := amqpbroker.Start()
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { _ = broker.Close() })
		url = broker.URL()
	}
	conn, err := amqp.Dial(url)
	if err != nil {
		b.Fatal("the broker does not answer: ", err)
	}
	b.Cleanup(func() { _ = conn.Close() })
	if ch, err = conn.Channel(); err != nil {
		b.Fatal(err)
	}
	if err = ch.Confirm(false); err != nil {
		b.Fatal(err)
	}
	queue = fmt.Sprintf("mqtrace-throughput-%d-%d", os.Getpid(), sequence.Add(1))
	if _, err = ch.QueueDeclare(queue, false, false, true, false, nil); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _, _ = ch.QueueDelete(queue, false, false, false) })
	return ch, queue
}

// sampled has every span recorded and exported, to nowhere.
func sampled(b *testing.B) []amqptrace.Option {
	b.Helper()
	return []amqptrace.Option{
		amqptrace.WithTracerProvider(newProvider(b)), amqptrace.WithPropagators(propagation.TraceContext{}),
	}
}

func newProvider(b *testing.B) trace.TracerProvider {
	b.Helper()
	provider := sdktrace.NewTracerProvider(sdktrace.WithBatcher(discard{}))
	b.Cleanup(func() { _ = provider.Shutdown(context.Background()) })
	return provider
}

type discard struct{}

func (discard) ExportSpans(context.Context, []sdktrace.ReadOnlySpan) error { return nil }
func (discard) Shutdown(context.Context) error                             { return nil }
