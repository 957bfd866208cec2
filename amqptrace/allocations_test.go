package amqptrace_test

import (
	"testing"

	metricnoop "go.opentelemetry.io/otel/metric/noop"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/exemplar"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/mqtrace/mqtrace/amqptrace"
)

// Exemplars, for which the SDK allocates when a span is sampled, are off.
func TestMetricsAllocateOnceAMessage(t *testing.T) {
	recording := amqptrace.WithTracerProvider(sdktrace.NewTracerProvider())
	meters := sdkmetric.NewMeterProvider(
		sdkmetric.WithReader(sdkmetric.NewManualReader()), sdkmetric.WithExemplarFilter(exemplar.AlwaysOffFilter))
	for name, operation := range map[string]func(...amqptrace.Option) func(){"publish": publishing, "process": processing} {
		without := testing.AllocsPerRun(1000, operation(recording, amqptrace.WithMeterProvider(metricnoop.NewMeterProvider())))
		with := testing.AllocsPerRun(1000, operation(recording, amqptrace.WithMeterProvider(meters)))
		if with > without+1 {
			t.Errorf("%s: %v allocations with metrics, %v without", name, with, without)
		}
	}
}
