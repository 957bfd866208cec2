package carrier_test

import (
	"context"
	"encoding/json"
	"os"
	"testing"

	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/mqtrace/mqtrace/carrier"
)

type w3cCase struct {
	Test             string      `json:"test"`
	Headers          [][2]string `json:"headers"`
	Expect           string      `json:"expect"`
	Tracestate       string      `json:"tracestate"`
	UpstreamDeviates bool        `json:"upstream_deviates"`
}

// joined returns the headers as a map. Several headers of one name, which a map
// cannot hold, are joined with commas as HTTP has it.
func (c w3cCase) joined() map[string]string {
	m := make(map[string]string)
	for _, h := range c.Headers {
		if old := m[h[0]]; old != "" {
			m[h[0]] = old + "," + h[1]
		} else {
			m[h[0]] = h[1]
		}
	}
	return m
}

func w3cCases(t *testing.T) []w3cCase {
	t.Helper()
	data, err := os.ReadFile("testdata/w3c-trace-context.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases []w3cCase
	if err := json.Unmarshal(data, &cases); err != nil {
		t.Fatal(err)
	}
	if len(cases) < 60 {
		t.Fatalf("only %d cases", len(cases))
	}
	return cases
}

func TestW3CTraceContext(t *testing.T) {
	tc := propagation.TraceContext{}
	for _, c := range w3cCases(t) {
		t.Run(c.Test, func(t *testing.T) {
			text := c.joined()
			table := make(carrier.Table)
			for k, v := range text {
				table[k] = []byte(v)
			}
			for name, ctx := range map[string]context.Context{
				"Headers": carrier.Headers(text).Extract(context.Background(), tc),
				"Table":   table.Extract(context.Background(), tc),
				"carrier": tc.Extract(context.Background(), carrier.Headers(text)),
			} {
				got := trace.SpanContextFromContext(ctx)
				if c.UpstreamDeviates {
					want := trace.SpanContextFromContext(tc.Extract(context.Background(), propagation.MapCarrier(text)))
					if !got.Equal(want) {
						t.Errorf("%s: %v, the propagator itself answers %v", name, got, want)
					}
					continue
				}
				if got.IsValid() != (c.Expect == "continue") {
					t.Errorf("%s: valid is %v, want %q for %q", name, got.IsValid(), c.Expect, c.Headers)
				}
				if got.IsValid() && got.TraceID().String() != "12345678901234567890123456789012" {
					t.Errorf("%s: trace id %s", name, got.TraceID())
				}
				if got.TraceState().String() != c.Tracestate {
					t.Errorf("%s: tracestate %q, want %q", name, got.TraceState(), c.Tracestate)
				}
			}
		})
	}
}
