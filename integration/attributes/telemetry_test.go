package attributes_test

import (
	"context"
	"slices"
	"sync"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/propagation"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
)

var propagator = propagation.NewCompositeTextMapPropagator(propagation.TraceContext{}, propagation.Baggage{})

// telemetry records one package's spans and metrics.
type telemetry struct {
	*starts

	spans  *tracetest.SpanRecorder
	traces *sdktrace.TracerProvider
	reader *sdkmetric.ManualReader
	meters *sdkmetric.MeterProvider
}

func newTelemetry() telemetry {
	tel := telemetry{starts: new(starts), spans: tracetest.NewSpanRecorder(), reader: sdkmetric.NewManualReader()}
	tel.traces = sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(tel.spans), sdktrace.WithSpanProcessor(tel))
	tel.meters = sdkmetric.NewMeterProvider(sdkmetric.WithReader(tel.reader))
	return tel
}

// starts keeps the attributes that spans were started with, by id.
type starts struct{ attributes sync.Map }

// OnStart records what a sampler sees of a span.
func (s *starts) OnStart(_ context.Context, span sdktrace.ReadWriteSpan) {
	s.attributes.Store(span.SpanContext().SpanID(), span.Attributes())
}

// OnEnd, Shutdown and ForceFlush do nothing.
func (s *starts) OnEnd(sdktrace.ReadOnlySpan) {}

func (s *starts) Shutdown(context.Context) error   { return nil }
func (s *starts) ForceFlush(context.Context) error { return nil }

// later returns the keys that were added to a span after its start.
func (s *starts) later(span sdktrace.ReadOnlySpan) []string {
	started, _ := s.attributes.Load(span.SpanContext().SpanID())
	var keys []string
	for _, kv := range span.Attributes() {
		if !slices.ContainsFunc(started.([]attribute.KeyValue), func(at attribute.KeyValue) bool { return at.Key == kv.Key }) {
			keys = append(keys, string(kv.Key))
		}
	}
	return keys
}
