package probe_test

import (
	"context"
	"testing"

	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/trace"

	"github.com/mqtrace/mqtrace/carrier"
	"github.com/mqtrace/mqtrace/cmd/mqtrace/internal/probe"
)

// What a probe sends is valid: OpenTelemetry reads all of it. So a break is the middleman's
// fault.
func TestMarkIsValid(t *testing.T) {
	onBroker(t, func(t *testing.T, s *scene) {
		q := s.queue("q", nil)
		r := s.probe(probe.Route{From: probe.Binding{Key: q}, Queue: q})
		h := carrier.Headers{}
		for _, f := range r.Places[0].Fields {
			h[f.Name] = f.Sent
		}
		ctx := h.Extract(context.Background(), propagator)
		sc := trace.SpanContextFromContext(ctx)
		if !sc.IsValid() || !sc.IsSampled() || sc.TraceState().Len() != 2 {
			t.Errorf("span context %+v of %v", sc, h)
		}
		bag := baggage.FromContext(ctx)
		for key, want := range map[string]string{"mqtrace.probe": "été 100%,;", "tenant.id": "a+b=c", "empty": ""} {
			m := bag.Member(key)
			if m.Key() != key || m.Value() != want {
				t.Errorf("baggage %s is %q, want %q", key, m.Value(), want)
			}
		}
		if p := bag.Member("mqtrace.probe").Properties(); len(p) != 2 || p[0].String() != "origin=a=b" || p[1].String() != "flag" {
			t.Errorf("properties %v", p)
		}
	})
}
