package carrier_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/trace"

	"github.com/mqtrace/mqtrace/carrier"
)

func TestTextRoundTrip(t *testing.T) {
	ctx := sampledContext(t)
	text := carrier.InjectText(ctx, propagator)
	if want := `{"baggage":"tenant.id=t1","traceparent":"00-01020300000000000000000000000000-0405060000000000-01"}`; text != want {
		t.Errorf("text %s, want %s", text, want)
	}
	got := carrier.ExtractText(context.Background(), propagator, text)
	sc := trace.SpanContextFromContext(got)
	if !sc.IsRemote() || sc.SpanID() != trace.SpanContextFromContext(ctx).SpanID() {
		t.Errorf("span context %v", sc)
	}
	if v := baggage.FromContext(got).Member("tenant.id").Value(); v != "t1" {
		t.Errorf("baggage %q", v)
	}
}

func TestTextOfNothing(t *testing.T) {
	if text := carrier.InjectText(context.Background(), propagator); text != "" {
		t.Errorf("%q, want an empty string", text)
	}
}

func TestTextIsPlainJSON(t *testing.T) {
	m, err := baggage.NewMemberRaw("q", "a&b<c>")
	if err != nil {
		t.Fatal(err)
	}
	bag, err := baggage.New(m)
	if err != nil {
		t.Fatal(err)
	}
	text := carrier.InjectText(baggage.ContextWithBaggage(context.Background(), bag), propagator)
	var object map[string]string
	if err := json.Unmarshal([]byte(text), &object); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	if strings.ContainsAny(text, "\n") || strings.Contains(text, `\u0026`) {
		t.Errorf("text %s", text)
	}
}

func TestUnusableTextLeavesTheContext(t *testing.T) {
	ctx := sampledContext(t)
	for _, text := range []string{
		"", " ", "null", "[]", `"traceparent"`, "1", "{", `{"traceparent":1}`, `{"traceparent":null}`,
		`{"traceparent":"00-zz"}`, `{"traceparent":"` + parentA + `"} trailing`, "\xff\xfe",
		strings.Repeat("[", 1<<16), strings.Repeat(`{"a":`, 1<<16),
	} {
		if got := carrier.ExtractText(ctx, propagator, text); got != ctx {
			t.Errorf("%.40q changed the context", text)
		}
	}
}

// Other writers of such objects may add members, or use a different case.
func TestTextOfOtherWriters(t *testing.T) {
	got := carrier.ExtractText(context.Background(), propagator,
		`{"Traceparent":"`+parentA+`","retries":1e999,"more":{"n":[-1e999]},"nested":{"traceparent":"`+parentB+`"}}`)
	if id := trace.SpanContextFromContext(got).TraceID().String(); id != strings.Repeat("a", 32) {
		t.Errorf("trace id %s", id)
	}
}
