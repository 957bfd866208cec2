package amqptrace_test

import (
	"context"
	"errors"
	"maps"
	"reflect"
	"sync"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/mqtrace/mqtrace/amqptrace"
	"github.com/mqtrace/mqtrace/carrier"
)

func TestPublishSpan(t *testing.T) {
	tests := map[string]struct {
		exchange, key string
		msg           amqp.Publishing
		opts          []amqptrace.Option
		name          string
		attributes    map[string]any
	}{
		"topic": {
			exchange: "orders", key: "order.created", name: "publish orders",
			attributes: map[string]any{
				"messaging.destination.name":                 "orders:order.created",
				"messaging.destination.template":             "orders",
				"messaging.rabbitmq.destination.routing_key": "order.created",
			},
		},
		"fanout without a key": {
			exchange: "events", name: "publish events",
			attributes: map[string]any{"messaging.destination.name": "events"},
		},
		"default exchange": {
			key: "billing", name: "publish amq.default",
			attributes: map[string]any{
				"messaging.destination.name":                 "billing",
				"messaging.destination.template":             "amq.default",
				"messaging.rabbitmq.destination.routing_key": "billing",
			},
		},
		"nothing at all": {
			name:       "publish amq.default",
			attributes: map[string]any{"messaging.destination.name": "amq.default"},
		},
		"reply": {
			key: "amq.rabbitmq.reply-to.g1h2AA==.x", name: "publish amq.rabbitmq.reply-to.*",
			attributes: map[string]any{
				"messaging.destination.name":                 "amq.rabbitmq.reply-to.g1h2AA==.x",
				"messaging.destination.template":             "amq.rabbitmq.reply-to.*",
				"messaging.destination.anonymous":            true,
				"messaging.destination.temporary":            true,
				"messaging.rabbitmq.destination.routing_key": "amq.rabbitmq.reply-to.g1h2AA==.x",
			},
		},
		"queue that the broker has named": {
			key: "amq.gen-JzTY20BRgKO-HjmUJj0wLg", name: "publish amq.gen-*",
			attributes: map[string]any{
				"messaging.destination.name":                 "amq.gen-JzTY20BRgKO-HjmUJj0wLg",
				"messaging.destination.template":             "amq.gen-*",
				"messaging.destination.anonymous":            true,
				"messaging.rabbitmq.destination.routing_key": "amq.gen-JzTY20BRgKO-HjmUJj0wLg",
			},
		},
		"message and conversation": {
			exchange: "x", msg: amqp.Publishing{MessageId: "m1", CorrelationId: "c1"}, name: "publish x",
			attributes: map[string]any{
				"messaging.destination.name":        "x",
				"messaging.message.id":              "m1",
				"messaging.message.conversation_id": "c1",
			},
		},
		"server and attributes of the caller": {
			exchange: "x", name: "publish x",
			opts: []amqptrace.Option{
				amqptrace.WithServer("rabbit.example", 5671),
				amqptrace.WithAttributes(attribute.String("team", "a")), amqptrace.WithAttributes(attribute.Int("n", 1)),
			},
			attributes: map[string]any{
				"messaging.destination.name": "x", "server.address": "rabbit.example", "server.port": int64(5671),
				"team": "a", "n": int64(1),
			},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			rec := newRecorder(t)
			ch := &channel{}
			pub := amqptrace.NewPublisher(ch, rec.options(tt.opts...)...)
			if err := pub.PublishWithContext(context.Background(), tt.exchange, tt.key, true, false, tt.msg); err != nil {
				t.Fatal(err)
			}
			span := rec.only(t)
			if span.Name() != tt.name || span.SpanKind() != trace.SpanKindProducer {
				t.Errorf("span %q of kind %v, want %q", span.Name(), span.SpanKind(), tt.name)
			}
			want := maps.Clone(tt.attributes)
			want["messaging.system"] = "rabbitmq"
			want["messaging.operation.name"] = "publish"
			want["messaging.operation.type"] = "send"
			wantAttributes(t, span, want)
			if span.Status().Code != codes.Unset || len(span.Events()) != 0 || len(span.Links()) != 0 {
				t.Errorf("status %v, events %v, links %v", span.Status(), span.Events(), span.Links())
			}
			p := ch.published[0]
			if p.exchange != tt.exchange || p.key != tt.key || !p.mandatory || p.immediate {
				t.Errorf("the channel got %+v", p)
			}
		})
	}
}

func TestPublishScope(t *testing.T) {
	rec := newRecorder(t)
	if err := amqptrace.NewPublisher(&channel{}, rec.options()...).PublishWithContext(
		context.Background(), "x", "", false, false, amqp.Publishing{}); err != nil {
		t.Fatal(err)
	}
	scope := rec.only(t).InstrumentationScope()
	if scope.Name != amqptrace.ScopeName || scope.Version == "" || scope.SchemaURL != semconv.SchemaURL {
		t.Errorf("scope %+v", scope)
	}
}

// The message carries the span's context, the span is a child of the caller's, and
// the host gets the span's context too.
func TestPublishPropagates(t *testing.T) {
	rec := newRecorder(t)
	ch := &channel{}
	ctx, caller := rec.start(context.Background(), "POST /orders")
	err := amqptrace.NewPublisher(ch, rec.options()...).PublishWithContext(ctx, "x", "", false, false, amqp.Publishing{})
	caller.End()
	if err != nil {
		t.Fatal(err)
	}
	span := rec.Ended()[0]
	wantParent(t, span, caller.SpanContext())
	got := carrier.Table(ch.published[0].msg.Headers).Extract(context.Background(), propagator)
	if sc := trace.SpanContextFromContext(got); sc.SpanID() != span.SpanContext().SpanID() {
		t.Errorf("the message carries span %s, want %s", sc.SpanID(), span.SpanContext().SpanID())
	}
	if !trace.SpanContextFromContext(ch.published[0].ctx).Equal(span.SpanContext()) {
		t.Error("the host got another context than the span's")
	}
}

// The same Publishing, and so the same header map, is published by many goroutines at once:
// under -race this fails if the map is written to.
func TestPublishLeavesTheHeadersAlone(t *testing.T) {
	rec := newRecorder(t)
	ch := &channel{}
	pub := amqptrace.NewPublisher(ch, rec.options()...)
	headers := amqp.Table{"tenant": "t1", "traceparent": "stale", "x-death": []any{amqp.Table{"count": int64(1)}}}
	before := maps.Clone(headers)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 100 {
				if err := pub.PublishWithContext(context.Background(), "x", "", false, false, amqp.Publishing{Headers: headers}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if !reflect.DeepEqual(headers, before) {
		t.Errorf("the headers became %v", headers)
	}
	seen := make(map[any]bool)
	for _, p := range ch.published {
		seen[p.msg.Headers["traceparent"]] = true
		if p.msg.Headers["tenant"] != "t1" || p.msg.Headers["x-death"] == nil {
			t.Fatalf("published headers %v", p.msg.Headers)
		}
	}
	if len(seen) != 800 || seen["stale"] {
		t.Errorf("%d different traceparents for 800 messages", len(seen))
	}
}

// Without an SDK the caller's trace goes through the process all the same.
func TestPublishWithoutSDK(t *testing.T) {
	ch := &channel{}
	headers, sc := message(t)
	ctx := carrier.Table(headers).Extract(context.Background(), propagator)
	pub := amqptrace.NewPublisher(ch,
		amqptrace.WithTracerProvider(noop.NewTracerProvider()), amqptrace.WithPropagators(propagator))
	if err := pub.PublishWithContext(ctx, "x", "", false, false, amqp.Publishing{}); err != nil {
		t.Fatal(err)
	}
	got := carrier.Table(ch.published[0].msg.Headers).Extract(context.Background(), propagator)
	if trace.SpanContextFromContext(got).SpanID() != sc.SpanID() {
		t.Errorf("the message carries %v, want %v", trace.SpanContextFromContext(got), sc)
	}
}

func TestSamplersSeeAttributesAndLinks(t *testing.T) {
	var seen []sdktrace.SamplingParameters
	rec := newRecorder(t, sdktrace.WithSampler(startSampler{&seen}))
	if err := amqptrace.NewPublisher(&channel{}, rec.options(amqptrace.WithServer("h", 1))...).PublishWithContext(
		context.Background(), "x", "k", false, false, amqp.Publishing{}); err != nil {
		t.Fatal(err)
	}
	headers, _ := message(t)
	handle := amqptrace.NewConsumer("q", rec.options(amqptrace.WithServer("h", 1))...).Handler(
		func(context.Context, amqp.Delivery) error { return nil })
	if err := handle(context.Background(), amqp.Delivery{Headers: headers, Exchange: "x", RoutingKey: "k"}); err != nil {
		t.Fatal(err)
	}
	for i, p := range seen {
		got := seenAttributes(p)
		for _, key := range []attribute.Key{
			"messaging.system", "messaging.operation.name", "messaging.operation.type", "messaging.destination.name",
			"messaging.rabbitmq.destination.routing_key", "server.address", "server.port",
		} {
			if !got[key] {
				t.Errorf("the sampler of span %d does not see %s", i, key)
			}
		}
	}
	if len(seen) != 2 || len(seen[1].Links) != 1 {
		t.Errorf("the sampler saw %d spans, want two and the link of the second", len(seen))
	}
}

// late is a propagator that does nothing until it is set, like OpenTelemetry's global one.
// That one can be set only once in a process, and tests may run more than once.
type late struct{ propagation.TextMapPropagator }

// Programs may publish before they have set up OpenTelemetry.
func TestPropagatorThatIsSetLate(t *testing.T) {
	rec := newRecorder(t)
	ch := &channel{}
	global := &late{propagation.NewCompositeTextMapPropagator()}
	pub := amqptrace.NewPublisher(ch, amqptrace.WithTracerProvider(rec.provider), amqptrace.WithPropagators(global))
	for range 2 {
		if err := pub.PublishWithContext(context.Background(), "x", "", false, false,
			amqp.Publishing{Headers: amqp.Table{"TraceState": "stale=1"}}); err != nil {
			t.Fatal(err)
		}
		global.TextMapPropagator = propagator
	}
	second := ch.published[1].msg.Headers
	if _, stale := second["TraceState"]; stale || second["traceparent"] == nil || ch.published[0].msg.Headers["traceparent"] != nil {
		t.Errorf("published %v, then %v", ch.published[0].msg.Headers, second)
	}
}

func TestOptionsThatAreNilAreIgnored(t *testing.T) {
	rec := newRecorder(t)
	opts := rec.options(nil, amqptrace.WithTracerProvider(nil), amqptrace.WithPropagators(nil), amqptrace.WithServer("", 5672),
		amqptrace.WithTracerProvider((*sdktrace.TracerProvider)(nil)), amqptrace.WithMeterProvider((*sdkmetric.MeterProvider)(nil)))
	pub := amqptrace.NewPublisher(&channel{}, opts...)
	if err := pub.PublishWithContext(noContext, "x", "", false, false, amqp.Publishing{}); err != nil {
		t.Fatal(err)
	}
	if _, ok := attributes(rec.only(t))["server.port"]; ok {
		t.Error("a port without an address")
	}
	var none error
	if err := amqptrace.NewPublisher(&channel{}).PublishWithContext(
		context.Background(), "x", "", false, false, amqp.Publishing{}); !errors.Is(err, none) {
		t.Error(err)
	}
}
