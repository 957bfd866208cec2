package amqptrace_test

import (
	"context"
	"strings"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"
	"go.opentelemetry.io/otel/trace"

	"github.com/mqtrace/mqtrace/amqptrace"
)

// Each failed operation is passed on under its name in the conventions, in the context of
// its span; successful ones are not.
func TestWithExceptions(t *testing.T) {
	rec := newRecorder(t)
	type recorded struct {
		amqptrace.Exception

		span trace.SpanID
	}
	var all []recorded
	opts := rec.options(amqptrace.WithSettleSpans(), amqptrace.WithExceptions(func(ctx context.Context, e amqptrace.Exception) {
		all = append(all, recorded{e, trace.SpanContextFromContext(ctx).SpanID()})
		panic("user")
	}), amqptrace.WithExceptions(nil))
	c := amqptrace.NewConsumer("q", opts...)
	refused := &acknowledger{err: customError{}}
	_ = amqptrace.NewPublisher(&channel{err: customError{}}, opts...).PublishWithContext(context.Background(), "x", "k", false, false, amqp.Publishing{})
	if _, ok, err := c.Get(context.Background(), getterThatFails{}, false); ok || err == nil {
		t.Error(ok, err)
	}
	_ = c.Handler(func(_ context.Context, d amqp.Delivery) error { return d.Ack(false) })(
		context.Background(), amqp.Delivery{DeliveryTag: 1, Acknowledger: refused})
	func() {
		defer func() { _ = recover() }()
		_ = c.Handler(func(context.Context, amqp.Delivery) error { panicsHere(); return nil })(context.Background(), amqp.Delivery{})
	}()
	_ = c.Handler(succeed)(context.Background(), amqp.Delivery{})
	wanted := []amqptrace.Exception{
		{Event: "messaging.send.exception", Severity: 13, Type: "amqptrace_test.customError", Message: "custom"},
		{Event: "messaging.receive.exception", Severity: 13, Type: "amqptrace_test.customError", Message: "custom"},
		{Event: "messaging.settle.exception", Severity: 13, Type: "amqptrace_test.customError", Message: "custom"},
		{Event: "messaging.process.exception", Severity: 17, Type: "amqptrace_test.customError", Message: "custom"},
		{Event: "messaging.process.exception", Severity: 17, Type: "panic", Message: "handler panicked or exited its goroutine"},
	}
	if len(all) != len(wanted) {
		t.Fatalf("%d exceptions, want %d", len(all), len(wanted))
	}
	for i, want := range wanted {
		got := all[i]
		if panicked := want.Type == "panic"; panicked != strings.Contains(got.Stacktrace, "panicsHere") || !panicked && got.Stacktrace != "" {
			t.Errorf("stack %s", got.Stacktrace)
		}
		got.Stacktrace = ""
		if got.Exception != want || got.span != rec.Ended()[i].SpanContext().SpanID() {
			t.Errorf("exception %d is %+v, want %+v", i, got, want)
		}
	}
}

func panicsHere() { panic("host") }

type getterThatFails struct{}

func (getterThatFails) Get(string, bool) (amqp.Delivery, bool, error) {
	return amqp.Delivery{}, false, customError{}
}
