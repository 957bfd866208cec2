package amqptrace_test

import (
	"context"
	"encoding/json"
	"os"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"
	"go.opentelemetry.io/otel/propagation"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/mqtrace/mqtrace/amqptrace"
)

// The cases of W3C's own test suite, each as the headers of a message that goes
// through a broker to a consumer. See carrier/testdata.
func TestW3CTraceContextThroughTheBroker(t *testing.T) {
	data, err := os.ReadFile("../carrier/testdata/w3c-trace-context.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases []struct {
		Test             string      `json:"test"`
		Headers          [][2]string `json:"headers"`
		Expect           string      `json:"expect"`
		Tracestate       string      `json:"tracestate"`
		UpstreamDeviates bool        `json:"upstream_deviates"`
	}
	if err := json.Unmarshal(data, &cases); err != nil {
		t.Fatal(err)
	}
	if len(cases) < 60 {
		t.Fatalf("only %d cases", len(cases))
	}
	onBrokers(t, func(t *testing.T, ch *amqp.Channel) {
		exchange, queue, _ := topology(t, ch)
		deliveries := consume(t, ch, queue)
		for _, c := range cases {
			headers, text := make(amqp.Table), make(propagation.MapCarrier)
			for _, h := range c.Headers {
				if old := text[h[0]]; old != "" { // a table has one header of each name: join them as HTTP does
					h[1] = old + "," + h[1]
				}
				headers[h[0]], text[h[0]] = h[1], h[1]
			}
			if err := ch.PublishWithContext(context.Background(), exchange, "k", false, false, amqp.Publishing{Headers: headers}); err != nil {
				t.Fatal(err)
			}
			rec := newRecorder(t, sdktrace.WithSampler(sdktrace.AlwaysSample())) // some cases are not sampled
			handle := amqptrace.NewConsumer(queue, rec.options()...).Handler(
				func(_ context.Context, d amqp.Delivery) error { return d.Ack(false) })
			if err := handle(context.Background(), next(t, deliveries)); err != nil {
				t.Fatal(err)
			}
			parent := rec.only(t).Parent()
			expect, tracestate := c.Expect == "continue", c.Tracestate
			if c.UpstreamDeviates {
				own := trace.SpanContextFromContext(propagation.TraceContext{}.Extract(context.Background(), text))
				expect, tracestate = own.IsValid(), own.TraceState().String()
			}
			if parent.IsValid() != expect || parent.TraceState().String() != tracestate {
				t.Errorf("%s: %q gave the parent %v with tracestate %q, want %q with %q",
					c.Test, c.Headers, parent.IsValid(), parent.TraceState(), c.Expect, tracestate)
			}
		}
	})
}
