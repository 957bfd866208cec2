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
	"github.com/mqtrace/mqtrace/internal/sidebyside"
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
	b.Run(name, func(b *testing.B) {
		sidebyside.Run(b, func(n int) {
			for range n {
				_ = floorInject(ctx, m, propagator)
			}
		}, injecting(ctx, m))
	})
}

func benchExtract(b *testing.B, name string, m map[string]any) {
	b.Run(name, func(b *testing.B) {
		sidebyside.Run(b, func(n int) {
			for range n {
				_ = propagator.Extract(context.Background(), floorCarrier(m))
			}
		}, extracting(m))
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

// What a message costs must not grow faster with its headers than a clone of them, so
// the floor of the clone is a clone without any.
func BenchmarkHeaders(b *testing.B) {
	ctx := sampledContext(b)
	for _, n := range []int{3, 15, 60} {
		none, m := headers(0), headers(n)
		b.Run(fmt.Sprintf("clone/headers=%d", n), func(b *testing.B) {
			sidebyside.Run(b, cloning(none), cloning(m))
		})
		b.Run(fmt.Sprintf("inject/headers=%d", n), func(b *testing.B) {
			sidebyside.Run(b, injecting(ctx, none), injecting(ctx, m))
		})
		b.Run(fmt.Sprintf("extract/headers=%d", n), func(b *testing.B) {
			sidebyside.Run(b, extracting(floorInject(ctx, none, propagator)), extracting(floorInject(ctx, m, propagator)))
		})
	}
}

func cloning(m map[string]any) func(n int) {
	return func(n int) {
		for range n {
			_ = maps.Clone(m)
		}
	}
}

func injecting(ctx context.Context, m map[string]any) func(n int) {
	return func(n int) {
		for range n {
			_ = carrier.Table(m).Inject(ctx, propagator)
		}
	}
}

func extracting(m map[string]any) func(n int) {
	return func(n int) {
		for range n {
			_ = carrier.Table(m).Extract(context.Background(), propagator)
		}
	}
}
