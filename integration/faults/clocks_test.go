package faults_test

import (
	"context"
	"strconv"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"go.opentelemetry.io/otel/propagation"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/mqtrace/mqtrace/amqptrace"
)

// A producer with a different clock: if it is ahead, messages look as if sent just now, if
// it is behind, as if sent long ago. Neither costs a message or its trace.
func TestClocks(t *testing.T) {
	const within = time.Minute
	for name, test := range map[string]struct {
		ahead     time.Duration
		queueTime func(seconds float64) bool
		age       func(time.Duration) bool
		continued bool // by ContinueWithin
	}{
		"ahead": {
			time.Hour, func(s float64) bool { return s == 0 },
			func(a time.Duration) bool { return a == 0 }, true,
		},
		"ahead by ages": {
			200 * 365 * 24 * time.Hour, func(s float64) bool { return s == 0 },
			func(a time.Duration) bool { return a == 0 }, true,
		},
		"behind": {
			-time.Hour, func(s float64) bool { return s > 3599 && s < 3700 },
			func(a time.Duration) bool { return a > 59*time.Minute }, false,
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := startBroker(t)
			k := dial(t, b.URL())
			defer k.Close()
			ch := k.channel(t)
			queue := "clocks"
			if _, err := ch.QueueDeclare(queue, false, false, false, false, nil); err != nil {
				t.Fatal(err)
			}
			spans := tracetest.NewInMemoryExporter()
			opts := []amqptrace.Option{
				amqptrace.WithTracerProvider(sdktrace.NewTracerProvider(sdktrace.WithSyncer(spans))),
				amqptrace.WithPropagators(propagation.TraceContext{}),
			}
			// A publisher of ours would put its own time there.
			msg := message(1)
			msg.Headers = amqp.Table{
				"traceparent":     "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
				"mqtrace-sent-at": strconv.FormatInt(time.Now().Add(test.ahead).UnixMicro(), 10),
			}
			if err := ch.PublishWithContext(t.Context(), "", queue, false, false, msg); err != nil {
				t.Fatal(err)
			}
			var seen amqptrace.Message
			c := amqptrace.NewConsumer(queue, append(opts, amqptrace.WithQueueTime(), amqptrace.WithRelation(func(m amqptrace.Message) bool {
				seen = m
				return amqptrace.ContinueWithin(within)(m)
			}))...)
			ds, err := ch.Consume(queue, "", false, false, false, false, nil)
			if err != nil {
				t.Fatal(err)
			}
			if err := c.Handler(func(_ context.Context, d amqp.Delivery) error { return d.Ack(false) })(t.Context(), <-ds); err != nil {
				t.Fatal(err)
			}
			if !seen.AgeKnown || !test.age(seen.Age) {
				t.Errorf("age %v, known %t", seen.Age, seen.AgeKnown)
			}
			process := spans.GetSpans()[0]
			producer := trace.SpanID{0xb7, 0xad, 0x6b, 0x71, 0x69, 0x20, 0x33, 0x31}
			if continued := process.Parent.SpanID() == producer; continued != test.continued {
				t.Errorf("continued %t", continued)
			}
			if len(process.Links) != 1 || process.Links[0].SpanContext.SpanID() != producer {
				t.Errorf("links %v", process.Links)
			}
			for _, kv := range process.Attributes {
				if kv.Key == "mqtrace.queue_time" && test.queueTime(kv.Value.AsFloat64()) {
					return
				}
			}
			t.Errorf("no such queue time in %v", process.Attributes)
		})
	}
}
