package carrier_test

import (
	"context"
	"testing"

	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/trace"

	"github.com/mqtrace/mqtrace/carrier"
)

// checkRead checks what must hold for whatever comes off the wire.
func checkRead(t *testing.T, c carrier.Table) {
	t.Helper()
	for _, k := range c.Keys() {
		if c.Get(k) == "" {
			t.Errorf("Keys has %q but Get cannot read it", k)
		}
	}
	ctx := c.Extract(context.Background(), propagator)
	sc := trace.SpanContextFromContext(ctx)
	if sc.IsValid() && !sc.IsRemote() {
		t.Error("an extracted span context is not remote")
	}
	bag := baggage.FromContext(ctx)
	if bag.Len() > 64 || len(bag.String()) > 8192*3 { // escaping may treble what was read
		t.Errorf("baggage has %d members, %d bytes", bag.Len(), len(bag.String()))
	}
	if !sc.IsValid() && bag.Len() == 0 && ctx != context.Background() {
		t.Error("nothing was read and yet the context changed")
	}
	// What was read goes out again unchanged.
	again := carrier.Table(nil).Inject(ctx, propagator).Extract(context.Background(), propagator)
	if got := trace.SpanContextFromContext(again); got.TraceID() != sc.TraceID() || got.SpanID() != sc.SpanID() {
		t.Errorf("read %v, and after another hop %v", sc, got)
	}
}

func FuzzTable(f *testing.F) {
	f.Add("traceparent", parentA, "tracestate", "a=1", false)
	f.Add("Traceparent", parentA, "traceparent", parentB, true)
	f.Add("x-opt-traceparent", parentA, "baggage", "k=v;p=1,=,;", false)
	f.Add("baggage", "a=%zz", "BAGGAGE", "\xff", true)
	f.Fuzz(func(t *testing.T, k1, v1, k2, v2 string, asBytes bool) {
		c := carrier.Table{k1: v1, "n": int32(1)}
		if asBytes {
			c[k2] = []byte(v2)
		} else {
			c[k2] = v2
		}
		checkRead(t, c)
		out := c.Inject(context.Background(), propagator)
		for _, field := range []string{"traceparent", "tracestate", "baggage"} {
			if out.Get(field) != "" {
				t.Errorf("a stale %s is left: %v", field, out)
			}
		}
	})
}

func FuzzExtractText(f *testing.F) {
	f.Add(`{"traceparent":"` + parentA + `","tracestate":"a=1","baggage":"k=v"}`)
	f.Add(`{"Traceparent":1,"traceparent":"` + parentB + `"}`)
	f.Add(`[{"traceparent":null}]`)
	f.Fuzz(func(t *testing.T, text string) {
		ctx := carrier.ExtractText(context.Background(), propagator, text)
		again := carrier.InjectText(ctx, propagator)
		got := trace.SpanContextFromContext(carrier.ExtractText(context.Background(), propagator, again))
		if want := trace.SpanContextFromContext(ctx); got.TraceID() != want.TraceID() {
			t.Errorf("read %v, and after another hop %v", want, got)
		}
	})
}
