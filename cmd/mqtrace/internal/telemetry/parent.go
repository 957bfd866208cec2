package telemetry

import (
	"context"
	"errors"
	"os"

	"go.opentelemetry.io/otel/trace"

	"github.com/mqtrace/mqtrace/carrier"
	"github.com/mqtrace/mqtrace/cmd/mqtrace/internal/tracecontext"
)

// FromEnvironment returns ctx with the trace and baggage from TRACEPARENT, TRACESTATE and
// BAGGAGE, and reports whether there is a trace. The error means that the trace is invalid;
// ctx is usable either way.
// https://opentelemetry.io/docs/specs/otel/context/env-carriers/
func FromEnvironment(ctx context.Context) (context.Context, bool, error) {
	headers := make(map[string]string)
	for name, variable := range map[string]string{
		"traceparent": "TRACEPARENT", "tracestate": "TRACESTATE", "baggage": "BAGGAGE",
	} {
		if value := os.Getenv(variable); value != "" {
			headers[name] = value
		}
	}
	ctx = carrier.Headers(headers).Extract(ctx, tracecontext.Propagator())
	if c := tracecontext.ReadText(headers); c.State == tracecontext.Bad {
		return ctx, false, errors.New(c.Problem)
	}
	return ctx, trace.SpanContextFromContext(ctx).IsValid(), nil
}
