package carrier_test

import (
	"context"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/mqtrace/mqtrace/carrier"
)

const (
	parentA = "00-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa-1111111111111111-01"
	parentB = "00-bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb-2222222222222222-01"
)

func TestInjectWritesStrings(t *testing.T) {
	ctx := sampledContext(t)
	got := carrier.Table{"n": int32(7)}.Inject(ctx, propagator)
	want := carrier.Table{
		"n":           int32(7),
		"traceparent": "00-01020300000000000000000000000000-0405060000000000-01",
		"baggage":     "tenant.id=t1",
	}
	// DeepEqual tells a string from a []byte, which other clients cannot read.
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

func TestBadTracestateDoesNotCostTheTraceparent(t *testing.T) {
	for _, state := range []string{"=", "a=1,a=2", strings.Repeat("x", 1<<20), "\xff\xfe", strings.Repeat("a=1,", 100)} {
		table := carrier.Table{"traceparent": parentA, "tracestate": state}
		sc := trace.SpanContextFromContext(table.Extract(context.Background(), propagator))
		if !sc.IsValid() || sc.TraceState().Len() != 0 {
			t.Errorf("tracestate %.20q: got %v", state, sc)
		}
	}
}

func TestBaggageIsCutBetweenMembers(t *testing.T) {
	member := func(i int, size int) string {
		key := "k" + string(rune('a'+i/26)) + string(rune('a'+i%26)) + "="
		return key + strings.Repeat("v", size-len(key))
	}
	list := func(n, size int) string {
		var members []string
		for i := range n {
			members = append(members, member(i, size))
		}
		return strings.Join(members, ",")
	}
	tests := map[string]struct {
		value string
		want  int
	}{
		"64 members":       {list(64, 10), 64},
		"65 members":       {list(65, 10), 64},
		"8192 bytes":       {list(3, 2730), 3}, // 3×2730 and two commas
		"8193 bytes":       {list(3, 2730) + " ", 3},
		"8194 bytes":       {list(2, 2730) + "," + member(3, 2732), 2},
		"1 MiB":            {list(1024, 1023), 8},
		"one of 1 MiB":     {member(0, 1<<20), 0},
		"1 MiB of commas":  {strings.Repeat(",", 1<<20), 0},
		"invalid UTF-8":    {"a=\xff,b=2", 1},
		"exactly at comma": {list(3, 2730) + "," + member(4, 20), 3},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			ctx := carrier.Table{"baggage": tt.value}.Extract(context.Background(), propagator)
			if got := baggage.FromContext(ctx).Len(); got != tt.want {
				t.Errorf("read %d members, want %d", got, tt.want)
			}
			written := make(carrier.Table)
			written.Set("baggage", tt.value)
			s, _ := written["baggage"].(string)
			if len(s) > 8192 || strings.Count(s, ",") > 63 || strings.HasSuffix(s, ",") {
				t.Errorf("wrote %d bytes, %d commas", len(s), strings.Count(s, ","))
			}
		})
	}
}

// Baggage built member by member is not held to the limits by OpenTelemetry.
func TestInjectCutsBaggage(t *testing.T) {
	var bag baggage.Baggage
	for i := range 100 {
		m, err := baggage.NewMember("key"+string(rune('A'+i%26))+string(rune('A'+i/26)), strings.Repeat("v", 100))
		if err != nil {
			t.Fatal(err)
		}
		if bag, err = bag.SetMember(m); err != nil {
			t.Fatal(err)
		}
	}
	message := carrier.Headers(nil).Inject(baggage.ContextWithBaggage(context.Background(), bag), propagator)
	if got := strings.Count(message["baggage"], "="); got != 64 {
		t.Errorf("%d members were written, want 64", got)
	}
	one, err := baggage.NewMember("k", strings.Repeat("v", 9000))
	if err != nil {
		t.Fatal(err)
	}
	var large baggage.Baggage
	if large, err = large.SetMember(one); err != nil {
		t.Fatal(err)
	}
	message = carrier.Headers{"baggage": "stale=1"}.Inject(baggage.ContextWithBaggage(context.Background(), large), propagator)
	if v, ok := message["baggage"]; ok {
		t.Errorf("baggage of which nothing is within the limits was written as %q", v)
	}
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
	if text, err := carrier.MarshalText(none, propagator); err != nil || text != "{}" {
		t.Errorf("text %q, %v", text, err)
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
