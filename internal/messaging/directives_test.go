package messaging_test

import (
	"context"
	"maps"
	"testing"

	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/mqtrace/mqtrace/carrier"
	"github.com/mqtrace/mqtrace/internal/messaging"
)

func TestDirectives(t *testing.T) {
	var none context.Context
	for name, tt := range map[string]struct {
		ctx  context.Context
		want messaging.Directives
	}{
		"none":             {context.Background(), messaging.Directives{}},
		"nil context":      {none, messaging.Directives{}},
		"no tracing":       {messaging.WithoutTracing(context.Background()), messaging.Directives{WithoutTracing: true}},
		"no propagation":   {messaging.WithoutPropagation(none), messaging.Directives{WithoutPropagation: true}},
		"new trace":        {messaging.WithNewTrace(context.Background()), messaging.Directives{NewTrace: true}},
		"neither of two":   {messaging.WithoutTracing(messaging.WithoutPropagation(none)), messaging.Directives{WithoutTracing: true, WithoutPropagation: true}},
		"one after itself": {messaging.WithNewTrace(messaging.WithNewTrace(none)), messaging.Directives{NewTrace: true}},
	} {
		if got := messaging.DirectivesOf(tt.ctx); got != tt.want {
			t.Errorf("%s: %+v, want %+v", name, got, tt.want)
		}
	}
}

// What is sent again carries neither the context of the first time nor our own headers.
func TestNothingIsInjectedAndStaleFieldsAreRemoved(t *testing.T) {
	p := messaging.Options{Propagators: propagation.TraceContext{}}.Propagator()
	ctx := trace.ContextWithSpanContext(context.Background(),
		trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{1}}))
	stale := carrier.Headers{
		"TraceParent": "stale", "tracestate": "a=1", "mqtrace-sent-at": "1", "mqtrace-publish-id": "1",
		"Mqtrace-New-Trace": "1", "tenant": "t1",
	}
	got := stale.Inject(ctx, messaging.DirectivesOf(messaging.WithoutPropagation(ctx)).Propagator(p))
	if want := (carrier.Headers{"tenant": "t1"}); !maps.Equal(got, want) {
		t.Errorf("without propagation the headers are %v, want %v", got, want)
	}
	if got = stale.Inject(ctx, messaging.DirectivesOf(ctx).Propagator(p)); len(got) != 2 || got["traceparent"] == "" {
		t.Errorf("the headers are %v", got)
	}
}

func TestAsksForNewTrace(t *testing.T) {
	for key, values := range map[string]map[string]bool{
		"mqtrace-new-trace":                       {"1": true, "0": false, "true": false, "": false},
		"MQTRACE-New-Trace":                       {" 1": true},
		"NServiceBus.OpenTelemetry.StartNewTrace": {"True": true, "true": true, "False": false, "1": false},
		"other": {"1": false},
	} {
		for value, want := range values {
			if got := messaging.AsksForNewTrace(carrier.Headers{key: value}); got != want {
				t.Errorf("%s: %q asks for a new trace: %t", key, value, got)
			}
			if got := messaging.AsksForNewTrace(carrier.Table{key: []byte(value)}); got != want {
				t.Errorf("%s: %q in a table asks for a new trace: %t", key, value, got)
			}
		}
	}
}

// Most messages have no directives, and pay for one lookup.
func TestDirectivesAllocateNothing(t *testing.T) {
	ctx := context.WithValue(context.Background(), stringKey{}, "")
	if n := testing.AllocsPerRun(100, func() { messaging.DirectivesOf(ctx) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

type stringKey struct{}
