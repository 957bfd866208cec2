package telemetry_test

import (
	"testing"

	"go.opentelemetry.io/otel/baggage"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	telemetry "github.com/mqtrace/mqtrace/integration/snippets"
)

func TestTenantOnSpans(t *testing.T) {
	bag, err := baggage.Parse("tenant.id=acme,secret=s")
	if err != nil {
		t.Fatal(err)
	}
	spans := tracetest.NewSpanRecorder()
	tp := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(telemetry.TenantOnSpans()), sdktrace.WithSpanProcessor(spans))
	_, span := tp.Tracer("test").Start(baggage.ContextWithBaggage(t.Context(), bag), "process billing")
	span.End()
	got := spans.Ended()[0].Attributes()
	if len(got) != 1 || got[0].Key != "tenant.id" || got[0].Value.AsString() != "acme" {
		t.Errorf("attributes %v", got)
	}
}
