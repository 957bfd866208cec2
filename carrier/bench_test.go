package carrier_test

import (
	"context"
	"fmt"
	"maps"
	"testing"

	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/mqtrace/mqtrace/carrier"
)

// The floor is what a careful engineer would write by hand for one program: a
// clone, the stale fields removed by their exact names, a map carrier over
// strings. It knows no letter case, annotation, conflict or limit.
type floorCarrier map[string]any

func (c floorCarrier) Get(key string) string {
	s, _ := c[key].(string)
	return s
}
func (c floorCarrier) Set(key, value string) { c[key] = value }
func (c floorCarrier) Keys() []string {
	keys := make([]string, 0, len(c))
	for k := range c {
		keys = append(keys, k)
	}
	return keys
}

func floorInject(ctx context.Context, m map[string]any, p propagation.TextMapPropagator) map[string]any {
	out := maps.Clone(m)
	if out == nil {
		out = make(map[string]any, 3)
	}
	for _, f := range p.Fields() {
		delete(out, f)
	}
	p.Inject(ctx, floorCarrier(out))
	return out
}

var propagator = propagation.NewCompositeTextMapPropagator(propagation.TraceContext{}, propagation.Baggage{})

func sampledContext(tb testing.TB) context.Context {
	tb.Helper()
	member, err := baggage.NewMember("tenant.id", "t1")
	if err != nil {
		tb.Fatal(err)
	}
	bag, err := baggage.New(member)
	if err != nil {
		tb.Fatal(err)
	}
	ctx := baggage.ContextWithBaggage(context.Background(), bag)
	return trace.ContextWithSpanContext(ctx, trace.NewSpanContext(trace.SpanContextConfig{
		TraceID:    trace.TraceID{1, 2, 3},
		SpanID:     trace.SpanID{4, 5, 6},
		TraceFlags: trace.FlagsSampled,
	}))
}

func headers(n int) map[string]any {
	m := make(map[string]any, n)
	for i := range n {
		m[fmt.Sprintf("x-header-%02d", i)] = int64(i)
	}
	return m
}

// contexts have what tracers leave in them: without an SDK nothing but baggage.
func contexts(b *testing.B) map[string]context.Context {
	b.Helper()
	sampled := sampledContext(b)
	sc := trace.SpanContextFromContext(sampled)
	return map[string]context.Context{
		"noop":      trace.ContextWithSpanContext(sampled, trace.SpanContext{}),
		"unsampled": trace.ContextWithSpanContext(sampled, sc.WithTraceFlags(0)),
		"sampled":   sampled,
	}
}

func benchInject(b *testing.B, name string, ctx context.Context, m map[string]any) {
	b.Run(name+"/floor", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_ = floorInject(ctx, m, propagator)
		}
	})
	b.Run(name+"/carrier", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_ = carrier.Table(m).Inject(ctx, propagator)
		}
	})
}

func benchExtract(b *testing.B, name string, m map[string]any) {
	b.Run(name+"/floor", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_ = propagator.Extract(context.Background(), floorCarrier(m))
		}
	})
	b.Run(name+"/carrier", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_ = carrier.Table(m).Extract(context.Background(), propagator)
		}
	})
}

func BenchmarkInject(b *testing.B) {
	for name, ctx := range contexts(b) {
		benchInject(b, name, ctx, headers(3))
	}
}

func BenchmarkExtract(b *testing.B) {
	for name, ctx := range contexts(b) {
		benchExtract(b, name, floorInject(ctx, headers(3), propagator))
	}
}

// What a message costs must not grow faster with its headers than a clone of them.
func BenchmarkHeaders(b *testing.B) {
	ctx := sampledContext(b)
	for _, n := range []int{0, 3, 15, 60} {
		m := headers(n)
		name := fmt.Sprintf("headers=%d", n)
		b.Run(name+"/clone", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_ = maps.Clone(m)
			}
		})
		benchInject(b, name+"/inject", ctx, m)
		benchExtract(b, name+"/extract", floorInject(ctx, m, propagator))
	}
}
