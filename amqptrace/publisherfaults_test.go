package amqptrace_test

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"

	"github.com/mqtrace/mqtrace/amqptrace"
)

func TestPublishFailure(t *testing.T) {
	tests := map[string]struct {
		err       error
		errorType string
	}{
		"reply code":       {&amqp.Error{Code: amqp.NotFound, Reason: "no exchange 'x' in vhost '/'"}, "NOT_FOUND"},
		"wrapped":          {fmt.Errorf("publish: %w", amqp.ErrClosed), "CHANNEL_ERROR"},
		"access refused":   {&amqp.Error{Code: amqp.AccessRefused, Reason: "access to exchange 'x' in vhost '/' refused for user 'shop'"}, "ACCESS_REFUSED"},
		"unknown code":     {&amqp.Error{Code: 999, Reason: "?"}, "AMQP_999"},
		"nil AMQP error":   {(*amqp.Error)(nil), "*amqp091.Error"},
		"context":          {fmt.Errorf("gave up: %w", context.DeadlineExceeded), "context.DeadlineExceeded"},
		"cancelled":        {context.Canceled, "context.Canceled"},
		"error of its own": {customError{}, "github.com/mqtrace/mqtrace/amqptrace_test.customError"},
		"typed":            {typedError{}, "the_type"},
		"panicking":        {(*panickingError)(nil), "_OTHER"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			rec := newRecorder(t)
			_, err := amqptrace.NewPublisher(&channel{err: tt.err}, rec.options()...).PublishWithDeferredConfirmWithContext(
				context.Background(), "x", "k", false, false, amqp.Publishing{})
			if err != tt.err { // the very same error
				t.Errorf("error %v, want the host's own", err)
			}
			span := rec.only(t)
			if got := attributes(span)["error.type"]; got != tt.errorType {
				t.Errorf("error.type %v, want %s", got, tt.errorType)
			}
			if span.Status().Code != codes.Error || len(span.Events()) != 0 {
				t.Errorf("status %v, events %v", span.Status(), span.Events())
			}
			if strings.Contains(span.Status().Description, "shop") {
				t.Errorf("the description has the user's name: %q", span.Status().Description)
			}
			if name == "reply code" && !strings.Contains(span.Status().Description, "no exchange 'x'") {
				t.Errorf("description %q", span.Status().Description)
			}
		})
	}
}

type customError struct{}

func (customError) Error() string { return "custom" }

type typedError struct{}

func (typedError) Error() string     { return "typed" }
func (typedError) ErrorType() string { return "the_type" }

type panickingError struct{ text string }

func (e *panickingError) Error() string     { return e.text }
func (e *panickingError) ErrorType() string { return e.text }

func TestPublishPanicOfTheHost(t *testing.T) {
	rec := newRecorder(t)
	defer func() {
		if r := recover(); r != "host" {
			t.Errorf("recovered %v", r)
		}
		span := rec.only(t)
		if span.Status().Code != codes.Error || attributes(span)["error.type"] != "panic" || len(span.Events()) != 0 {
			t.Errorf("status %v, events %v", span.Status(), span.Events())
		}
		_, file, _, _ := runtime.Caller(2) // past this function and panic itself
		if !strings.HasSuffix(file, "helpers_test.go") {
			t.Errorf("the panic comes from %s", file)
		}
	}()
	_ = amqptrace.NewPublisher(&channel{panics: "host"}, rec.options()...).PublishWithContext(
		context.Background(), "x", "", false, false, amqp.Publishing{})
}

// If the program's own propagator panics, the program sees the panic, and the span ends.
func TestPublishPanicOfThePropagator(t *testing.T) {
	for name, publish := range map[string]func(*amqptrace.Publisher) error{
		"plain": func(p *amqptrace.Publisher) error {
			return p.PublishWithContext(context.Background(), "x", "", false, false, amqp.Publishing{})
		},
		"confirmed": func(p *amqptrace.Publisher) error {
			return p.PublishConfirmed(context.Background(), "x", "", false, false, amqp.Publishing{})
		},
	} {
		t.Run(name, func(t *testing.T) {
			rec := newRecorder(t)
			defer func() {
				if r := recover(); r != "propagator" {
					t.Errorf("recovered %v", r)
				}
				if span := rec.only(t); attributes(span)["error.type"] != "panic" {
					t.Errorf("status %v", span.Status())
				}
			}()
			_ = publish(amqptrace.NewPublisher(&channel{}, rec.options(amqptrace.WithPropagators(panicking{}))...))
		})
	}
}

type panicking struct{ propagation.TraceContext }

func (panicking) Inject(context.Context, propagation.TextMapCarrier) { panic("propagator") }
