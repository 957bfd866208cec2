// Package tracecontext reads the trace context that a message carries, or the reason why it
// is unusable.
package tracecontext

import (
	"context"
	"slices"
	"strings"

	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/mqtrace/mqtrace/carrier"
)

// State is the state of a message's context.
type State string

// The states, as they are printed.
const (
	OK   State = "ok"
	None State = "none"
	Bad  State = "bad" // there is one, but it is invalid
)

// Context is what a message carries.
type Context struct {
	State State
	// Problem says why the state is Bad.
	Problem string
	// Span is the creation context of the message, the parent of its process span. It is
	// valid if the state is OK.
	Span trace.SpanContext
	// Baggage may be present without a trace.
	Baggage []baggage.Member
}

// Propagator reads and writes W3C Trace Context and W3C Baggage.
func Propagator() propagation.TextMapPropagator {
	return propagation.NewCompositeTextMapPropagator(propagation.TraceContext{}, propagation.Baggage{})
}

// Read reads the headers as this project's packages do.
func Read(headers map[string]any) Context {
	ctx := carrier.Table(headers).Extract(context.Background(), Propagator())
	c := Context{State: OK, Span: trace.SpanContextFromContext(ctx), Baggage: members(ctx)}
	if c.Span.IsValid() {
		return c
	}
	values := traceparents(headers)
	if len(values) == 0 {
		c.State = None
		return c
	}
	c.State, c.Problem = Bad, problem(values)
	return c
}

// ReadText is Read for headers that are all text.
func ReadText(headers map[string]string) Context {
	table := make(map[string]any, len(headers))
	for k, v := range headers {
		table[k] = v
	}
	return Read(table)
}

func members(ctx context.Context) []baggage.Member {
	list := baggage.FromContext(ctx).Members()
	slices.SortFunc(list, func(a, b baggage.Member) int { return strings.Compare(a.Key(), b.Key()) })
	return list
}
