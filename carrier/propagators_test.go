package carrier_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"testing"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/mqtrace/mqtrace/carrier"
)

func TestNilPropagatorIsTheGlobalOne(t *testing.T) {
	before := otel.GetTextMapPropagator()
	t.Cleanup(func() { otel.SetTextMapPropagator(before) })
	otel.SetTextMapPropagator(propagator)
	ctx := sampledContext(t)
	message := carrier.Table(nil).Inject(ctx, nil)
	got := trace.SpanContextFromContext(message.Extract(context.Background(), nil))
	if want := trace.SpanContextFromContext(ctx); got.TraceID() != want.TraceID() {
		t.Errorf("got %v, want %v", got, want)
	}
}

// A propagator may set more keys than its Fields says.
func TestKeysBeyondTheFields(t *testing.T) {
	got := carrier.Headers{"X-Custom": "stale"}.Inject(context.Background(), withoutFields{})
	if want := (carrier.Headers{"x-custom": "injected"}); !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

type withoutFields struct{ customPropagator }

func (withoutFields) Inject(_ context.Context, c propagation.TextMapCarrier) {
	c.Set("x-custom", "injected")
}
func (withoutFields) Fields() []string { return nil }

// Propagators with other fields work too, stale fields and letter case included.
func TestOtherPropagator(t *testing.T) {
	message := carrier.Headers{"X-Custom": "stale", "y": "kept"}.Inject(context.Background(), customPropagator{})
	if want := (carrier.Headers{"x-custom": "injected", "y": "kept"}); !maps.Equal(message, want) {
		t.Errorf("got %v, want %v", message, want)
	}
	ctx := carrier.Table{"X-CUSTOM": []byte(" v ")}.Extract(context.Background(), customPropagator{})
	if got := ctx.Value(contextKey{}); got != "v" {
		t.Errorf("got %v", got)
	}
}

// customPropagator also uses its carrier in every way that the API allows.
type customPropagator struct{}

func (customPropagator) Inject(_ context.Context, c propagation.TextMapCarrier) {
	if c.Get("x-custom") == "" && !slices.Contains(c.Keys(), "x-custom") {
		c.Set("x-custom", "injected")
	}
}

func (customPropagator) Extract(ctx context.Context, c propagation.TextMapCarrier) context.Context {
	c.Set("x-custom", "a message that is read is not written to")
	if len(c.Keys()) != 1 {
		return ctx
	}
	return context.WithValue(ctx, contextKey{}, c.Get("x-custom"))
}

func (customPropagator) Fields() []string { return []string{"x-custom"} }

// walker is a propagator that, like OpenTracing's, reads every key.
type walker struct{ customPropagator }

func (walker) Extract(ctx context.Context, c propagation.TextMapCarrier) context.Context {
	read := make(map[string]string)
	for _, k := range c.Keys() {
		read[k] = c.Get(k)
	}
	return context.WithValue(ctx, contextKey{}, read)
}

// many returns n headers, and two that differ only in case.
func many(n int) carrier.Table {
	t := carrier.Table{"Twin": "a", "twin": "b", "Traceparent": "t", "n": 1}
	for i := range n {
		t[fmt.Sprint("ot-baggage-", i)] = fmt.Sprint(" v", i)
	}
	return t
}

// A propagator reads the same as Get and Keys return, from few headers and from many.
func TestPropagatorThatWalksTheKeys(t *testing.T) {
	for _, n := range []int{0, 5, 5000} {
		headers := many(n)
		read, _ := headers.Extract(context.Background(), walker{}).Value(contextKey{}).(map[string]string)
		if want := n + 1; len(read) != want || len(headers.Keys()) != want {
			t.Errorf("%d of %d keys, want %d", len(read), len(headers), want)
		}
		for k, v := range read {
			if v == "" || v != headers.Get(k) {
				t.Errorf("%s is %q, want %q", k, v, headers.Get(k))
			}
		}
	}
}

// BenchmarkWalk has a cost for each header that does not grow with their number.
func BenchmarkWalk(b *testing.B) {
	for _, n := range []int{100, 1000, 5000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			headers := many(n)
			for b.Loop() {
				headers.Extract(context.Background(), walker{})
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/header")
		})
	}
}
