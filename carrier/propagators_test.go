package carrier_test

import (
	"context"
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
