package amqptrace_test

import (
	"context"
	"maps"
	"strconv"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"go.opentelemetry.io/otel/baggage"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/mqtrace/mqtrace/amqptrace"
)

func TestRelation(t *testing.T) {
	now := time.Now()
	stamp := func(age time.Duration) amqp.Table {
		return amqp.Table{"mqtrace-sent-at": strconv.FormatInt(now.Add(-age).UnixMicro(), 10)}
	}
	minute := amqptrace.ContinueWithin(time.Minute)
	for name, tt := range map[string]struct {
		relation amqptrace.Relation
		delivery amqp.Delivery
		newTrace bool
	}{
		"continue":               {amqptrace.ContinueTrace, amqp.Delivery{}, false},
		"new":                    {amqptrace.NewTrace, amqp.Delivery{}, true},
		"nil":                    {nil, amqp.Delivery{}, false},
		"within":                 {minute, amqp.Delivery{Headers: stamp(time.Second)}, false},
		"beyond":                 {minute, amqp.Delivery{Headers: stamp(time.Hour)}, true},
		"ahead of our clock":     {minute, amqp.Delivery{Headers: stamp(-time.Hour)}, false},
		"beyond, by timestamp":   {minute, amqp.Delivery{Timestamp: now.Add(-time.Hour)}, true},
		"within, by timestamp":   {minute, amqp.Delivery{Timestamp: now}, false},
		"of unknown age":         {minute, amqp.Delivery{}, false},
		"unusable stamp":         {minute, amqp.Delivery{Headers: amqp.Table{"mqtrace-sent-at": "yesterday"}}, false},
		"stamp of another type":  {minute, amqp.Delivery{Headers: amqp.Table{"mqtrace-sent-at": int64(1)}}, false},
		"negative stamp":         {minute, amqp.Delivery{Headers: amqp.Table{"mqtrace-sent-at": "-5"}}, false},
		"one's own: first tries": {func(m amqptrace.Message) bool { return m.Attempt == 1 }, amqp.Delivery{Redelivered: true}, true},
	} {
		t.Run(name, func(t *testing.T) {
			var seen []sdktrace.SamplingParameters
			rec := newRecorder(t, sdktrace.WithSampler(sdktrace.ParentBased(startSampler{&seen})))
			headers, created := message(t)
			headers["baggage"] = "tenant.id=t1"
			maps.Copy(headers, tt.delivery.Headers)
			tt.delivery.Headers = headers
			consumer := amqptrace.NewConsumer("q", rec.options(amqptrace.WithRelation(tt.relation))...)
			if err := consumer.Handler(func(ctx context.Context, _ amqp.Delivery) error {
				if v := baggage.FromContext(ctx).Member("tenant.id").Value(); v != "t1" {
					t.Errorf("baggage %q", v)
				}
				return nil
			})(context.Background(), tt.delivery); err != nil {
				t.Fatal(err)
			}
			span := rec.only(t)
			wantLinks(t, span, created)
			if tt.newTrace {
				wantParent(t, span, trace.SpanContext{})
				if span.SpanContext().TraceID() == created.TraceID() || len(seen) != 1 {
					t.Errorf("in trace %s, root sampler asked %d times", span.SpanContext().TraceID(), len(seen))
				}
			} else {
				wantParent(t, span, created)
			}
		})
	}
}

// A new trace is requested explicitly, not only by a context without a span: a tracer may
// find other parents.
func TestNewTraceIsARoot(t *testing.T) {
	headers, _ := message(t)
	tracers := &rootTracers{}
	opts := []amqptrace.Option{
		amqptrace.WithTracerProvider(tracers), amqptrace.WithPropagators(propagator), amqptrace.WithRelation(amqptrace.NewTrace),
	}
	d := amqp.Delivery{Headers: headers}
	consumer := amqptrace.NewConsumer("q", opts...)
	_ = consumer.Handler(succeed)(context.Background(), d)
	_ = consumer.BatchHandler(func(context.Context, []amqp.Delivery) error { return nil })(context.Background(), []amqp.Delivery{d})
	if tracers.roots != 2 {
		t.Errorf("%d roots, want 2", tracers.roots)
	}
}

type rootTracers struct {
	noop.TracerProvider

	roots int
}

func (r *rootTracers) Tracer(string, ...trace.TracerOption) trace.Tracer {
	return rootTracer{tracers: r}
}

type rootTracer struct {
	noop.Tracer

	tracers *rootTracers
}

func (r rootTracer) Start(ctx context.Context, name string, opts ...trace.SpanStartOption) (context.Context, trace.Span) {
	if c := trace.NewSpanStartConfig(opts...); c.NewRoot() {
		r.tracers.roots++
	}
	return r.Tracer.Start(ctx, name, opts...)
}

func TestWhatARelationSees(t *testing.T) {
	var got amqptrace.Message
	relation := func(m amqptrace.Message) bool { got = m; return true }
	headers := amqp.Table{"k": "v", "x-delivery-count": int64(1)}
	if err := amqptrace.NewConsumer("q", amqptrace.WithRelation(relation)).Handler(succeed)(context.Background(), amqp.Delivery{
		Exchange: "x", RoutingKey: "k", Headers: headers, Timestamp: time.Now().Add(-time.Hour), Redelivered: true,
	}); err != nil {
		t.Fatal(err)
	}
	if got.Queue != "q" || got.Exchange != "x" || got.RoutingKey != "k" || got.Headers["k"] != "v" || got.Attempt != 2 ||
		!got.AgeKnown || got.Age < time.Hour || got.Age > 2*time.Hour {
		t.Errorf("the relation saw %+v", got)
	}
}
