package amqptrace_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"
	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/mqtrace/mqtrace/amqptrace"
)

func succeed(context.Context, amqp.Delivery) error { return nil }

func TestProcessSpan(t *testing.T) {
	tests := map[string]struct {
		queue      string
		delivery   amqp.Delivery
		name       string
		attributes map[string]any
	}{
		"topic": {
			queue: "billing", name: "process billing",
			delivery: amqp.Delivery{Exchange: "orders", RoutingKey: "order.created", DeliveryTag: 7},
			attributes: map[string]any{
				"messaging.destination.name":                 "orders:order.created:billing",
				"messaging.rabbitmq.destination.routing_key": "order.created",
				"messaging.destination.template":             "billing",
				"messaging.rabbitmq.message.delivery_tag":    int64(7),
			},
		},
		"default exchange": {
			queue: "billing", name: "process billing",
			delivery: amqp.Delivery{RoutingKey: "billing", DeliveryTag: 1, MessageId: "m1", CorrelationId: "c1"},
			attributes: map[string]any{
				"messaging.destination.name":                 "billing",
				"messaging.rabbitmq.destination.routing_key": "billing",
				"messaging.rabbitmq.message.delivery_tag":    int64(1),
				"messaging.message.id":                       "m1",
				"messaging.message.conversation_id":          "c1",
			},
		},
		"no key": {
			queue: "billing", name: "process billing",
			delivery: amqp.Delivery{Exchange: "events", DeliveryTag: 1},
			attributes: map[string]any{
				"messaging.destination.name":              "events:billing",
				"messaging.destination.template":          "billing",
				"messaging.rabbitmq.message.delivery_tag": int64(1),
			},
		},
		"generated queue": {
			queue: "amq.gen-JzTY20BRgKO-HjmUJj0wLg", name: "process amq.gen-*",
			delivery: amqp.Delivery{Exchange: "events", DeliveryTag: 1},
			attributes: map[string]any{
				"messaging.destination.name":              "events:amq.gen-JzTY20BRgKO-HjmUJj0wLg",
				"messaging.destination.template":          "amq.gen-*",
				"messaging.destination.anonymous":         true,
				"messaging.rabbitmq.message.delivery_tag": int64(1),
			},
		},
		"reply address": {
			queue: "amq.rabbitmq.reply-to.g1h2AA==.x", name: "process amq.rabbitmq.reply-to.*",
			delivery: amqp.Delivery{RoutingKey: "amq.rabbitmq.reply-to.g1h2AA==.x", DeliveryTag: 1},
			attributes: map[string]any{
				"messaging.destination.name":                 "amq.rabbitmq.reply-to.g1h2AA==.x",
				"messaging.destination.template":             "amq.rabbitmq.reply-to.*",
				"messaging.destination.anonymous":            true,
				"messaging.destination.temporary":            true,
				"messaging.rabbitmq.destination.routing_key": "amq.rabbitmq.reply-to.g1h2AA==.x",
				"messaging.rabbitmq.message.delivery_tag":    int64(1),
			},
		},
		"no queue": {
			name: "process",
			attributes: map[string]any{
				"messaging.destination.name": "amq.default",
			},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			rec := newRecorder(t)
			if err := amqptrace.NewConsumer(tt.queue, rec.options()...).Handler(succeed)(context.Background(), tt.delivery); err != nil {
				t.Fatal(err)
			}
			span := rec.only(t)
			if span.Name() != tt.name || span.SpanKind() != trace.SpanKindConsumer {
				t.Errorf("span %q of kind %v, want %q", span.Name(), span.SpanKind(), tt.name)
			}
			want := maps.Clone(tt.attributes)
			want["messaging.system"] = "rabbitmq"
			want["messaging.operation.name"] = "process"
			want["messaging.operation.type"] = "process"
			want["mqtrace.attempt"] = int64(1)
			wantAttributes(t, span, want)
			if span.Status().Code != codes.Unset {
				t.Errorf("status %v", span.Status())
			}
		})
	}
}

// The rule: the creation context is always linked; the parent is the ambient span
// if there is one, else the creation context.
func TestCorrelation(t *testing.T) {
	headers, created := message(t)
	bad := amqp.Table{"traceparent": "00-0-0-01", "baggage": "k=v"}
	none := trace.SpanContext{}
	for name, tt := range map[string]struct {
		headers         amqp.Table
		ambient         bool
		linked, created trace.SpanContext
	}{
		"message alone":               {headers, false, created, created},
		"message and ambient span":    {headers, true, created, none},
		"no context":                  {amqp.Table{"n": int32(1)}, false, none, none},
		"no context, ambient span":    {nil, true, none, none},
		"bad traceparent":             {bad, false, none, none},
		"bad traceparent and ambient": {bad, true, none, none},
	} {
		t.Run(name, func(t *testing.T) {
			rec := newRecorder(t)
			ctx, parent := context.Background(), tt.created
			if tt.ambient {
				var span trace.Span
				ctx, span = rec.start(ctx, "ambient")
				defer span.End()
				parent = span.SpanContext()
			}
			err := amqptrace.NewConsumer("q", rec.options()...).Handler(func(ctx context.Context, _ amqp.Delivery) error {
				if trace.SpanFromContext(ctx).SpanContext().SpanID() == parent.SpanID() {
					t.Error("the handler did not get a span of its own")
				}
				return nil
			})(ctx, amqp.Delivery{Headers: tt.headers})
			if err != nil {
				t.Fatal(err)
			}
			span := rec.Ended()[0]
			wantParent(t, span, parent)
			if tt.linked.IsValid() {
				wantLinks(t, span, tt.linked)
			} else {
				wantLinks(t, span)
			}
		})
	}
}

func TestBaggageReachesTheHandler(t *testing.T) {
	rec := newRecorder(t)
	headers, _ := message(t)
	headers["baggage"] = "tenant.id=t1"
	for _, ambient := range []bool{false, true} {
		ctx := context.Background()
		if ambient {
			var span trace.Span
			ctx, span = rec.start(ctx, "ambient")
			defer span.End()
		}
		handle := amqptrace.NewConsumer("q", rec.options()...).Handler(func(ctx context.Context, _ amqp.Delivery) error {
			if v := baggage.FromContext(ctx).Member("tenant.id").Value(); v != "t1" {
				t.Errorf("ambient span %v: baggage %q", ambient, v)
			}
			return nil
		})
		if err := handle(ctx, amqp.Delivery{Headers: headers}); err != nil {
			t.Fatal(err)
		}
	}
}

// Printing the context must not read what others write: under -race this fails if fmt
// walks through it.
func TestContextCanBePrinted(t *testing.T) {
	rec := newRecorder(t)
	_ = amqptrace.NewConsumer("q", rec.options()...).Handler(func(ctx context.Context, d amqp.Delivery) error {
		var wg sync.WaitGroup
		wg.Go(func() { _ = d.Ack(false) })
		text := fmt.Sprintf("%v %+v", ctx, ctx)
		wg.Wait()
		if strings.Contains(text, "acknowledger") {
			t.Errorf("printed as %s", text)
		}
		return nil
	})(context.Background(), amqp.Delivery{DeliveryTag: 1, Acknowledger: &acknowledger{}})
}

func TestContextOfTheHandlerIsTheCallers(t *testing.T) {
	rec := newRecorder(t)
	ctx, cancel := context.WithCancelCause(context.WithValue(context.Background(), key{}, "v"))
	cause := errors.New("cause")
	err := amqptrace.NewConsumer("q", rec.options()...).Handler(func(ctx context.Context, _ amqp.Delivery) error {
		if ctx.Value(key{}) != "v" {
			t.Error("the caller's values are gone")
		}
		child, stop := context.WithCancel(ctx)
		defer stop()
		cancel(cause)
		<-child.Done()
		return context.Cause(child)
	})(ctx, amqp.Delivery{})
	if !errors.Is(err, cause) {
		t.Errorf("error %v", err)
	}
}

type key struct{}

func TestNilContextAndNilAcknowledger(t *testing.T) {
	rec := newRecorder(t)
	handle := amqptrace.NewConsumer("q", rec.options()...).Handler(func(_ context.Context, d amqp.Delivery) error {
		return d.Ack(false)
	})
	if err := handle(noContext, amqp.Delivery{}); !errors.Is(err, amqp.ErrDeliveryNotInitialized) {
		t.Errorf("error %v, want the host's", err)
	}
	rec.only(t)
}

// Headers from a hostile or broken peer never keep a message from being processed.
func TestHostileHeaders(t *testing.T) {
	for name, headers := range map[string]amqp.Table{
		"types":         {"traceparent": int64(1), "tracestate": []any{nil}, "baggage": amqp.Table{}},
		"invalid UTF-8": {"traceparent": "\xff\xfe", "baggage": []byte{0xff}},
		"large":         {"baggage": strings.Repeat("k=v,", 1<<18), "tracestate": strings.Repeat("x", 1<<20)},
		"twins":         {"traceparent": "a", "Traceparent": "b", "TRACEPARENT": []byte("c")},
	} {
		t.Run(name, func(t *testing.T) {
			rec := newRecorder(t)
			called := false
			err := amqptrace.NewConsumer("q", rec.options()...).Handler(func(context.Context, amqp.Delivery) error {
				called = true
				return nil
			})(context.Background(), amqp.Delivery{Headers: headers})
			if err != nil || !called {
				t.Errorf("error %v, handler called: %v", err, called)
			}
			wantLinks(t, rec.only(t))

			ch := &channel{}
			if err := amqptrace.NewPublisher(ch, rec.options()...).PublishWithContext(
				context.Background(), "x", "", false, false, amqp.Publishing{Headers: headers}); err != nil {
				t.Error(err)
			}
			if len(ch.published) != 1 || ch.published[0].msg.Headers["traceparent"] == nil {
				t.Error("the message was not published with its trace")
			}
		})
	}
}
