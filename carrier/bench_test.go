package carrier_test

import (
	"context"
	"testing"

	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/mqtrace/mqtrace/carrier"
)

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

func BenchmarkInject(b *testing.B) {
	headers := carrier.Table{"content-version": int32(2), "source": "checkout", "attempts": int64(1)}
	for name, ctx := range map[string]context.Context{"noop": context.Background(), "sampled": sampledContext(b)} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_ = headers.Inject(ctx, propagator)
			}
		})
	}
}

func BenchmarkExtract(b *testing.B) {
	headers := carrier.Table{"source": "checkout"}.Inject(sampledContext(b), propagator)
	b.ReportAllocs()
	for b.Loop() {
		_ = headers.Extract(context.Background(), propagator)
	}
}
