package telemetry

import (
	"go.opentelemetry.io/contrib/processors/baggagecopy"
	"go.opentelemetry.io/otel/baggage"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// TenantOnSpans is for sdktrace.WithSpanProcessor.
func TenantOnSpans() sdktrace.SpanProcessor {
	return baggagecopy.NewSpanProcessor(func(m baggage.Member) bool { return m.Key() == "tenant.id" })
}
