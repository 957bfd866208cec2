package carrier_test

import (
	"context"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/trace"

	"github.com/mqtrace/mqtrace/carrier"
)

func TestInjectWritesStrings(t *testing.T) {
	ctx := sampledContext(t)
	got := carrier.Table{"n": int32(7)}.Inject(ctx, propagator)
	want := carrier.Table{
		"n":           int32(7),
		"traceparent": "00-01020300000000000000000000000000-0405060000000000-01",
		"baggage":     "tenant.id=t1",
	}
	// DeepEqual distinguishes a string from a []byte, which other clients cannot read.
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %#v, want %#v", got, want)
	}
}

func TestInjectLeavesTheMapAlone(t *testing.T) {
	ctx := sampledContext(t)
	table := carrier.Table{"traceparent": parentA, "TraceState": "old=1", "n": nil}
	headers := carrier.Headers{"traceparent": parentA, "Baggage": "old=1"}
	tableBefore, headersBefore := maps.Clone(table), maps.Clone(headers)

	table.Inject(ctx, propagator)["new"] = 1
	headers.Inject(ctx, propagator)["new"] = "1"

	if !reflect.DeepEqual(table, tableBefore) {
		t.Errorf("the table was changed to %v", table)
	}
	if !maps.Equal(headers, headersBefore) {
		t.Errorf("the headers were changed to %v", headers)
	}
}

func TestInjectIntoNil(t *testing.T) {
	ctx := sampledContext(t)
	if got := carrier.Table(nil).Inject(ctx, propagator); got.Get("traceparent") == "" {
		t.Errorf("nil table: %v", got)
	}
	if got := carrier.Headers(nil).Inject(ctx, propagator); got.Get("traceparent") == "" {
		t.Errorf("nil headers: %v", got)
	}
	if got := carrier.Table(nil).Inject(context.Background(), propagator); got == nil || len(got) != 0 {
		t.Errorf("nothing to inject: %#v, want an empty map", got)
	}
}

// A message that is published again must not carry what an earlier producer left.
func TestInjectRemovesStaleFields(t *testing.T) {
	stale := carrier.Table{
		"Traceparent":       parentA,
		"TRACESTATE":        "old=1",
		"baggage":           "old=1",
		"x-opt-traceparent": parentA,
		"X-Opt-Baggage":     []byte("old=1"),
		"tracestates":       "kept",
		"x-opt-other":       "kept",
	}
	ctx := trace.ContextWithSpanContext(context.Background(), trace.SpanContextFromContext(sampledContext(t)))
	got := stale.Inject(ctx, propagator)
	keys := slices.Sorted(maps.Keys(got))
	if want := []string{"traceparent", "tracestates", "x-opt-other"}; !slices.Equal(keys, want) {
		t.Errorf("keys %v, want %v", keys, want)
	}
	if got["traceparent"] == parentA {
		t.Error("the old traceparent is still there")
	}
}

func TestBadTracestateDoesNotCostTheTraceparent(t *testing.T) {
	for _, state := range []string{"=", "a=1,a=2", strings.Repeat("x", 1<<20), "\xff\xfe", strings.Repeat("a=1,", 100)} {
		table := carrier.Table{"traceparent": parentA, "tracestate": state}
		sc := trace.SpanContextFromContext(table.Extract(context.Background(), propagator))
		if !sc.IsValid() || sc.TraceState().Len() != 0 {
			t.Errorf("tracestate %.20q: got %v", state, sc)
		}
	}
}
