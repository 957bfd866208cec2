package carrier_test

import (
	"context"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/mqtrace/mqtrace/carrier"
)

const (
	parentA = "00-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa-1111111111111111-01"
	parentB = "00-bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb-2222222222222222-01"
)

func TestGet(t *testing.T) {
	tests := map[string]struct {
		table carrier.Table
		key   string
		want  string
	}{
		"exact":                     {carrier.Table{"traceparent": parentA}, "traceparent", parentA},
		"bytes":                     {carrier.Table{"traceparent": []byte(parentA)}, "traceparent", parentA},
		"other case":                {carrier.Table{"TraceParent": parentA}, "traceparent", parentA},
		"asked for in other case":   {carrier.Table{"traceparent": parentA}, "TraceParent", parentA},
		"spaces and tabs":           {carrier.Table{"traceparent": " \t" + parentA + "\t "}, "traceparent", parentA},
		"no other space":            {carrier.Table{"b3": "\n0"}, "b3", "\n0"},
		"twins that agree":          {carrier.Table{"traceparent": parentA, "Traceparent": []byte(parentA)}, "traceparent", parentA},
		"twins that differ":         {carrier.Table{"traceparent": parentA, "Traceparent": parentB}, "traceparent", ""},
		"twins in another field":    {carrier.Table{"b3": "0", "B3": "1"}, "b3", ""},
		"twin of another type":      {carrier.Table{"traceparent": parentA, "Traceparent": int64(1)}, "traceparent", parentA},
		"twin that is empty":        {carrier.Table{"traceparent": parentA, "Traceparent": " "}, "traceparent", parentA},
		"annotation":                {carrier.Table{"x-opt-traceparent": parentA}, "traceparent", parentA},
		"annotation in other case":  {carrier.Table{"X-OPT-TraceParent": []byte(parentA)}, "traceparent", parentA},
		"plain before annotation":   {carrier.Table{"x-opt-traceparent": parentA, "traceparent": parentB}, "traceparent", parentB},
		"conflict, then annotation": {carrier.Table{"x-opt-traceparent": parentA, "traceparent": parentB, "Traceparent": parentA}, "traceparent", ""},
		"tracestate of the other":   {carrier.Table{"x-opt-tracestate": "a=1", "traceparent": parentB}, "tracestate", ""},
		"baggage of the other":      {carrier.Table{"x-opt-baggage": "a=1", "traceparent": parentB}, "baggage", "a=1"},
		"annotation beside baggage": {carrier.Table{"x-opt-traceparent": parentA, "baggage": "a=1"}, "traceparent", parentA},
		"lone tracestate":           {carrier.Table{"x-opt-traceparent": parentA, "x-opt-tracestate": "a=1", "tracestate": "b=2"}, "tracestate", "a=1"},
		"three twins":               {carrier.Table{"b3": "0", "B3": "1", "bAGGAGE": ""}, "b3", ""},
		"baggage in capitals":       {carrier.Table{"BAGGAGE": strings.Repeat("k=v,", 100)}, "BAGGAGE", strings.TrimSuffix(strings.Repeat("k=v,", 64), ",")},
		"letter Z":                  {carrier.Table{"Z": "v"}, "z", "v"},
		"annotation of its own":     {carrier.Table{"x-opt-baggage": "a=1"}, "x-opt-baggage", "a=1"},
		"Kelvin sign":               {carrier.Table{"\u212aey": "v"}, "key", ""},
		"missing":                   {carrier.Table{"n": "v"}, "traceparent", ""},
		"nil table":                 {nil, "traceparent", ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := tt.table.Get(tt.key); got != tt.want {
				t.Errorf("Get(%q) is %q, want %q", tt.key, got, tt.want)
			}
		})
	}
}

// Each of these comes off the wire of an AMQP broker, and none of them is text.
func TestValuesOfOtherTypesArePassedOver(t *testing.T) {
	for _, v := range []any{
		nil, true, int8(1), uint8(1), int16(1), int32(1), int64(1), float32(1), float64(1),
		time.Unix(1, 0), map[string]any{"traceparent": parentA}, carrier.Table{"traceparent": parentA},
		[]any{parentA}, [4]byte{}, (*string)(nil), []byte(nil), []byte{},
	} {
		table := carrier.Table{"traceparent": v, "tracestate": v, "baggage": v}
		ctx := context.WithValue(context.Background(), contextKey{}, "as it was")
		if got := table.Extract(ctx, propagator); got != ctx {
			t.Errorf("%T: the context was changed", v)
		}
		if keys := table.Keys(); len(keys) != 0 {
			t.Errorf("%T: keys %v, but Get has nothing to read", v, keys)
		}
	}
}

type contextKey struct{}

func TestKeysAreThoseThatGetReads(t *testing.T) {
	table := carrier.Table{
		"traceparent": parentA, "Traceparent": parentB, // conflict
		"tracestate": []byte("a=1"), "n": 1, "empty": "", "BAGGAGE": "a=1", "\xff": "x", "\xfe": "y",
	}
	keys := table.Keys()
	slices.Sort(keys)
	if want := []string{"BAGGAGE", "tracestate", "\xfe", "\xff"}; !slices.Equal(keys, want) {
		t.Errorf("keys %q, want %q", keys, want)
	}
	for _, k := range keys {
		if table.Get(k) == "" {
			t.Errorf("Keys has %q but Get cannot read it", k)
		}
	}
}

func TestSetReplacesTwins(t *testing.T) {
	table := carrier.Table{"Traceparent": parentA, "other": 1}
	table.Set("traceparent", parentB)
	if want := (carrier.Table{"traceparent": parentB, "other": 1}); !reflect.DeepEqual(table, want) {
		t.Errorf("got %v, want %v", table, want)
	}
	headers := carrier.Headers{"TRACEPARENT": parentA}
	headers.Set("traceparent", parentB)
	if want := (carrier.Headers{"traceparent": parentB}); !maps.Equal(headers, want) {
		t.Errorf("got %v, want %v", headers, want)
	}
	carrier.Table(nil).Set("traceparent", parentB)
	carrier.Headers(nil).Set("traceparent", parentB)
}

func TestNilContext(t *testing.T) {
	var none context.Context
	message := carrier.Table(nil).Inject(none, propagator)
	if len(message) != 0 {
		t.Errorf("injected %v", message)
	}
	ctx := carrier.Table{"traceparent": parentA}.Extract(none, propagator)
	if !trace.SpanContextFromContext(ctx).IsValid() {
		t.Error("nothing was extracted")
	}
	if text := carrier.InjectText(none, propagator); text != "" {
		t.Errorf("text %q", text)
	}
}

// Many messages have no headers, which must not cost anything.
func TestNothingToExtractAllocatesNothing(t *testing.T) {
	for name, extract := range map[string]func(){
		"Table":   func() { carrier.Table(nil).Extract(context.Background(), propagator) },
		"Headers": func() { carrier.Headers(nil).Extract(context.Background(), propagator) },
	} {
		if n := testing.AllocsPerRun(100, extract); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

func TestReplace(t *testing.T) {
	for key, want := range map[string]bool{
		"traceparent": true, "TraceParent": true, "x-opt-baggage": true, "tracestate": true,
		"x-request-id": false, "traceparents": false,
	} {
		ctx := sampledContext(t)
		headers, got := carrier.Headers{key: "x"}.Replace(ctx, propagator)
		if got != want || headers["traceparent"] == "x" {
			t.Errorf("headers with %s: %t, %v", key, got, headers)
		}
		table, got := carrier.Table{key: 1}.Replace(ctx, propagator)
		if got != want || table["traceparent"] == 1 {
			t.Errorf("a table with %s: %t, %v", key, got, table)
		}
	}
	if out, replaced := carrier.Table(nil).Replace(context.Background(), nil); replaced || out == nil {
		t.Error("a nil table carries nothing")
	}
}
