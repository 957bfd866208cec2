package telemetry_test

import (
	"strings"
	"testing"

	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/trace"

	"github.com/mqtrace/mqtrace/cmd/mqtrace/internal/telemetry"
)

func TestFromEnvironment(t *testing.T) {
	const id, span = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
	const parent = "00-" + id + "-" + span + "-01"
	long := "k=" + strings.Repeat("v", 8192)
	for name, tt := range map[string]struct {
		traceparent, tracestate, baggage string
		there, sampled                   bool
		wantState, wantBaggage           string
		bad                              bool
	}{
		"nothing":            {},
		"trace":              {traceparent: parent, there: true, sampled: true},
		"not sampled":        {traceparent: parent[:53] + "00", there: true},
		"blanks around":      {traceparent: " " + parent + "\t", there: true, sampled: true},
		"all of it":          {parent, "vendor=1,b=2", "k=%41;p=1", true, true, "vendor=1,b=2", "k=A;p=1", false},
		"a later version":    {traceparent: "42" + parent[2:] + "-more", there: true, sampled: true},
		"baggage alone":      {baggage: "k=v", wantBaggage: "k=v"},
		"state alone":        {tracestate: "vendor=1"},
		"bad state":          {traceparent: parent, tracestate: "\x1b=\xff", there: true, sampled: true},
		"bad baggage":        {traceparent: parent, baggage: "\x1b[2J\xff", there: true, sampled: true},
		"too much baggage":   {traceparent: parent, baggage: long, there: true, sampled: true},
		"nonsense":           {traceparent: "\x1b[2J\xff", baggage: "k=v", wantBaggage: "k=v", bad: true},
		"upper case":         {traceparent: strings.ToUpper(parent), bad: true},
		"no trace id":        {traceparent: "00-" + strings.Repeat("0", 32) + parent[35:], tracestate: "vendor=1", bad: true},
		"an invalid version": {traceparent: "ff" + parent[2:], bad: true},
		"too many fields":    {traceparent: parent + "-more", bad: true},
		"blank":              {traceparent: " ", bad: true},
		"huge":               {traceparent: parent + strings.Repeat("0", 100_000), bad: true},
	} {
		t.Run(name, func(t *testing.T) {
			environment(t, map[string]string{"TRACEPARENT": tt.traceparent, "TRACESTATE": tt.tracestate, "BAGGAGE": tt.baggage})
			ctx, there, err := telemetry.FromEnvironment(t.Context())
			c := trace.SpanContextFromContext(ctx)
			if there != tt.there || c.IsValid() != tt.there || (err != nil) != tt.bad {
				t.Fatalf("%v, %+v, %v", there, c, err)
			}
			if there && (c.TraceID().String() != id || c.SpanID().String() != span || !c.IsRemote()) || c.IsSampled() != tt.sampled ||
				c.TraceState().String() != tt.wantState {
				t.Errorf("%+v", c)
			}
			if got := baggage.FromContext(ctx).String(); got != tt.wantBaggage {
				t.Errorf("baggage %q", got)
			}
			if ctx.Done() != t.Context().Done() {
				t.Error("the caller's context is lost")
			}
		})
	}
}
