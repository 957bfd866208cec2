package amqptrace_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"

	"github.com/mqtrace/mqtrace/amqptrace"
	"github.com/mqtrace/mqtrace/internal/messaging/messagingtest"
)

// consumed returns how many messages were counted as consumed.
func consumed(t *testing.T, reader *sdkmetric.ManualReader) (n int) {
	t.Helper()
	for _, point := range messagingtest.Points(t, reader, amqptrace.ScopeName, "rabbitmq") {
		var name string
		if _, err := fmt.Sscan(point, &name); err == nil && name == "client.consumed.messages" {
			n++
		}
	}
	return n
}

// If the caller of a handler retries at once, each attempt has a span, and the delivery is
// counted once. A redelivery is counted separately, even if it looks the same.
func TestCountedOnceUnderRetries(t *testing.T) {
	for name, tt := range map[string]struct {
		deliveries []amqp.Delivery
		want       int
	}{
		"one":                      {[]amqp.Delivery{{DeliveryTag: 1, Body: []byte("b")}}, 1},
		"without a body":           {[]amqp.Delivery{{DeliveryTag: 1}}, 1},
		"with an acknowledger":     {[]amqp.Delivery{{DeliveryTag: 1, Acknowledger: &acknowledger{}}}, 1},
		"two":                      {[]amqp.Delivery{{DeliveryTag: 1}, {DeliveryTag: 2}}, 2},
		"redelivered":              {[]amqp.Delivery{{DeliveryTag: 1}, {DeliveryTag: 1, Redelivered: true}}, 2},
		"tags restart":             {[]amqp.Delivery{{DeliveryTag: 1, MessageId: "a"}, {DeliveryTag: 1, MessageId: "b"}}, 2},
		"tags restart, other body": {[]amqp.Delivery{{DeliveryTag: 1, Body: []byte("a")}, {DeliveryTag: 1, Body: []byte("b")}}, 2},
	} {
		t.Run(name, func(t *testing.T) {
			rec := newRecorder(t)
			reader := sdkmetric.NewManualReader()
			metrics := amqptrace.WithMeterProvider(sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader)))
			tries := 0
			handle := amqptrace.NewConsumer("q", rec.options(metrics)...).Handler(func(context.Context, amqp.Delivery) error {
				switch tries++; tries % 3 {
				case 0:
					return nil
				case 1:
					return errors.New("not yet")
				default:
					panic("not yet")
				}
			})
			for _, d := range tt.deliveries {
				for again := true; again; {
					again = func() (again bool) {
						defer func() { again = recover() != nil || again }()
						return handle(context.Background(), d) != nil
					}()
				}
			}
			if n := consumed(t, reader); n != tt.want || len(rec.Ended()) != tries {
				t.Errorf("%d counted, want %d; %d spans of %d tries", n, tt.want, len(rec.Ended()), tries)
			}
		})
	}
}

// A handler in a loop, and a handler in a handler, are one attempt: one span, with its
// outcome, whichever learns it first.
func TestHandlersWithinHandlers(t *testing.T) {
	failure := errors.New("failed")
	for name, tt := range map[string]struct {
		inner     func(context.Context, amqp.Delivery) error
		errorType any
	}{
		"succeeds": {succeed, nil},
		"fails":    {func(context.Context, amqp.Delivery) error { return failure }, "*errors.errorString"},
		"panics":   {func(context.Context, amqp.Delivery) error { panic("host") }, "panic"},
	} {
		for _, host := range []amqp.Acknowledger{nil, &acknowledger{}} {
			t.Run(fmt.Sprintf("%s, acknowledger: %t", name, host != nil), func(t *testing.T) {
				rec := newRecorder(t)
				reader := sdkmetric.NewManualReader()
				opts := rec.options(amqptrace.WithMeterProvider(sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader))))
				inner := amqptrace.NewConsumer("q", opts...).Handler(func(ctx context.Context, d amqp.Delivery) error {
					amqptrace.Fail(ctx, nil)
					return tt.inner(ctx, d)
				})
				outer := amqptrace.NewConsumer("q", opts...).Handler(func(ctx context.Context, d amqp.Delivery) error {
					defer func() { _ = recover() }()
					_ = inner(ctx, d) // the error is lost
					return nil
				})
				_ = outer(context.Background(), amqp.Delivery{DeliveryTag: 1, Acknowledger: host})
				if got := attributes(rec.only(t))["error.type"]; got != tt.errorType {
					t.Errorf("error.type %v, want %v", got, tt.errorType)
				}
				if n := consumed(t, reader); n != 1 {
					t.Errorf("%d counted", n)
				}
			})
		}
	}
}

// A delivery that a loop hands to a worker is processed when the worker does it.
func TestHandlerAfterTheLoop(t *testing.T) {
	rec := newRecorder(t)
	c := amqptrace.NewConsumer("q", rec.options()...)
	ds := make(chan amqp.Delivery, 1)
	ds <- amqp.Delivery{DeliveryTag: 1, Acknowledger: &acknowledger{}}
	close(ds)
	var later amqp.Delivery
	for _, d := range c.Deliveries(context.Background(), ds) {
		later = d
	}
	if err := c.Handler(succeed)(context.Background(), later); err != nil {
		t.Error(err)
	}
	if len(rec.Ended()) != 2 {
		t.Errorf("%d spans", len(rec.Ended()))
	}
}
