package amqptrace_test

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"testing"
	"unicode/utf8"

	amqp "github.com/rabbitmq/amqp091-go"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/mqtrace/mqtrace/amqptrace"
)

func TestHandlerError(t *testing.T) {
	rec := newRecorder(t)
	failure := &amqp.Error{Code: amqp.PreconditionFailed, Reason: "no"}
	err := amqptrace.NewConsumer("q", rec.options()...).Handler(
		func(context.Context, amqp.Delivery) error { return failure })(context.Background(), amqp.Delivery{})
	if err != error(failure) { // the very same error
		t.Errorf("error %v", err)
	}
	span := rec.only(t)
	if span.Status().Code != codes.Error || !strings.Contains(span.Status().Description, "no") {
		t.Errorf("status %v", span.Status())
	}
	if got := attributes(span)["error.type"]; got != "PRECONDITION_FAILED" || len(span.Events()) != 0 {
		t.Errorf("error.type %v, events %v", got, span.Events())
	}
}

// A delivery that a test makes may have a nil channel as its acknowledger. Without us only
// settling it panics.
func TestNilChannelAsAcknowledger(t *testing.T) {
	var host *amqp.Channel
	d := amqp.Delivery{Acknowledger: host, DeliveryTag: 1}
	rec := newRecorder(t)
	c := amqptrace.NewConsumer("q", rec.options()...)
	failure := errors.New("failed")
	for range 2 { // the second one is a retry
		if err := c.Handler(func(context.Context, amqp.Delivery) error { return failure })(context.Background(), d); !errors.Is(err, failure) {
			t.Errorf("error %v", err)
		}
	}
	_ = c.BatchHandler(func(context.Context, []amqp.Delivery) error { return nil })(context.Background(), []amqp.Delivery{d})
	_, p := c.StartProcess(context.Background(), &d)
	_ = p.Result(nil)
	p.End()
	if n := len(rec.Ended()); n != 4 {
		t.Errorf("%d spans, want 4", n)
	}
}

// A panic is not recovered and raised again: whoever recovers it must find its origin on
// the stack.
func TestHandlerPanic(t *testing.T) {
	rec := newRecorder(t)
	handle := amqptrace.NewConsumer("q", rec.options()...).Handler(
		func(context.Context, amqp.Delivery) error { panic("poison") })
	func() {
		defer func() {
			if r := recover(); r != "poison" {
				t.Errorf("recovered %v", r)
			}
			_, file, _, ok := runtime.Caller(2) // past this function and panic itself
			if !ok || !strings.HasSuffix(file, "consumerfaults_test.go") {
				t.Errorf("the panic comes from %s", file)
			}
		}()
		_ = handle(context.Background(), amqp.Delivery{})
	}()
	span := rec.only(t)
	if span.Status().Code != codes.Error || attributes(span)["error.type"] != "panic" || len(span.Events()) != 0 {
		t.Errorf("status %v, attributes %v, events %v", span.Status(), attributes(span), span.Events())
	}
}

func TestHandlerThatExitsItsGoroutine(t *testing.T) {
	rec := newRecorder(t)
	handle := amqptrace.NewConsumer("q", rec.options()...).Handler(func(context.Context, amqp.Delivery) error {
		runtime.Goexit()
		return nil
	})
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = handle(context.Background(), amqp.Delivery{})
	}()
	<-done
	if span := rec.only(t); span.Status().Code != codes.Error {
		t.Errorf("status %v", span.Status())
	}
}

// A handler's error is the program's own: its methods may fail in any way.
func TestHandlerErrorThatPanics(t *testing.T) {
	rec := newRecorder(t)
	for _, failure := range []error{(*panickingError)(nil), (*unwrapping)(nil)} {
		rec.Reset()
		err := amqptrace.NewConsumer("q", rec.options()...).Handler(
			func(context.Context, amqp.Delivery) error { return failure })(context.Background(), amqp.Delivery{})
		if err != failure {
			t.Errorf("error %v", err)
		}
		if span := rec.only(t); span.Status().Code != codes.Error || attributes(span)["error.type"] != "_OTHER" {
			t.Errorf("status %v, attributes %v", span.Status(), attributes(span))
		}
	}
}

// The functions of the options come before the message is handled or sent, which goes on
// without them.
func TestOptionsThatPanic(t *testing.T) {
	for name, option := range map[string]amqptrace.Option{
		"filter":   amqptrace.WithFilter(func(m amqptrace.Message) bool { return m.Headers["tenant"].(string) != "" }),
		"relation": amqptrace.WithRelation(func(m amqptrace.Message) bool { return m.Headers["tenant"].(string) != "" }),
	} {
		t.Run(name, func(t *testing.T) {
			rec := newRecorder(t)
			ch := &channel{}
			pub, cons := amqptrace.NewPublisher(ch, rec.options(option)...), amqptrace.NewConsumer("q", rec.options(option)...)
			if err := pub.PublishWithContext(t.Context(), "x", "k", false, false, amqp.Publishing{}); err != nil || len(ch.published) != 1 {
				t.Errorf("error %v, %d published", err, len(ch.published))
			}
			d := amqp.Delivery{Headers: ch.published[0].msg.Headers}
			ds := make(chan amqp.Delivery, 1)
			ds <- d
			close(ds)
			handled := 0
			for range cons.Deliveries(t.Context(), ds) {
				handled++
			}
			_ = cons.Handler(func(context.Context, amqp.Delivery) error { handled++; return nil })(t.Context(), d)
			_ = cons.BatchHandler(func(context.Context, []amqp.Delivery) error { handled++; return nil })(t.Context(), []amqp.Delivery{d})
			if spans := rec.Ended(); len(spans) != 4 || handled != 3 || spans[1].Parent().SpanID() != spans[0].SpanContext().SpanID() {
				t.Errorf("%d handled, spans %v", handled, spans)
			}
		})
	}
}

type unwrapping struct{ inner error }

func (*unwrapping) Error() string   { return "x" }
func (e *unwrapping) Unwrap() error { return e.inner }

// One string that is not UTF-8 keeps an OTLP exporter from sending a whole batch.
func TestAttributesAreUTF8(t *testing.T) {
	for _, bad := range []string{"bad\xff", "\xffis bad, and more", "is goodüand\xff", "is not bad, but this \xff"} {
		testAttributesAreUTF8(t, bad)
	}
}

func testAttributesAreUTF8(t *testing.T, bad string) {
	t.Helper()
	rec := newRecorder(t)
	_ = amqptrace.NewPublisher(&channel{err: errors.New(bad)}, rec.options()...).PublishWithContext(
		context.Background(), bad, bad, false, false, amqp.Publishing{MessageId: bad, CorrelationId: bad})
	_ = amqptrace.NewConsumer(bad, rec.options()...).Handler(
		func(context.Context, amqp.Delivery) error { return typed(bad) },
	)(context.Background(), amqp.Delivery{
		Exchange: bad, RoutingKey: bad, MessageId: bad, CorrelationId: bad,
		Headers: amqp.Table{"x-death": []any{amqp.Table{"queue": bad, "reason": bad}}},
	})
	if len(rec.Ended()) != 2 {
		t.Fatalf("%d spans", len(rec.Ended()))
	}
	for _, s := range rec.Ended() {
		texts := append([]string{s.Name(), s.Status().Description}, stringsOf(s)...)
		for _, text := range texts {
			if !utf8.ValidString(text) {
				t.Errorf("%q: %q is not UTF-8", s.Name(), text)
			}
		}
	}
}

func stringsOf(s sdktrace.ReadOnlySpan) []string {
	var texts []string
	for _, kv := range s.Attributes() {
		switch kv.Value.Type() {
		case attribute.STRING:
			texts = append(texts, kv.Value.AsString())
		case attribute.STRINGSLICE:
			texts = append(texts, kv.Value.AsStringSlice()...)
		}
	}
	return texts
}

type typed string

func (typed) Error() string       { return "typed" }
func (e typed) ErrorType() string { return string(e) }
