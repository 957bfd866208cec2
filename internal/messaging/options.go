package messaging

import (
	"context"
	"reflect"
	"slices"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// Options are the options that amqptrace and asynqtrace share. The zero value
// selects the defaults.
type Options struct {
	TracerProvider trace.TracerProvider
	MeterProvider  metric.MeterProvider
	Propagators    propagation.TextMapPropagator
	Attributes     []attribute.KeyValue
	QueueTime      bool
	Exceptions     func(context.Context, Exception) // nil if not wanted

	// LimitBaggage passes only the members in BaggageKeys, in both directions.
	LimitBaggage bool
	BaggageKeys  []string
}

// IsNil reports whether an option's argument is nil or a nil pointer in an interface, such
// as an SDK that the program has not set up.
func IsNil(v any) bool {
	r := reflect.ValueOf(v)
	return !r.IsValid() || r.Kind() == reflect.Pointer && r.IsNil()
}

// Instrumentation is the result of the options of one publisher, consumer or client. It is
// built once and safe for concurrent use.
type Instrumentation struct {
	// Propagator reads and writes the context of messages.
	Propagator propagation.TextMapPropagator

	propagator  *fieldsOnce // the same
	exceptions  func(context.Context, Exception)
	scope       string
	tracer      trace.Tracer
	instruments instruments
	identity    []attribute.KeyValue // on every span and every metric point
	attributes  []attribute.KeyValue // on every span
}

// NewInstrumentation builds the instrumentation of one scope. identity are the attributes
// of the messaging system and the server.
func NewInstrumentation(scope string, o Options, identity ...attribute.KeyValue) *Instrumentation {
	if o.TracerProvider == nil {
		o.TracerProvider = otel.GetTracerProvider()
	}
	if o.MeterProvider == nil {
		o.MeterProvider = otel.GetMeterProvider()
	}
	if o.Propagators == nil {
		o.Propagators = otel.GetTextMapPropagator()
	}
	propagator := newPropagator(o)
	return &Instrumentation{
		Propagator: propagator,
		propagator: propagator,
		exceptions: o.Exceptions,
		scope:      scope,
		tracer: o.TracerProvider.Tracer(scope,
			trace.WithInstrumentationVersion(Version), trace.WithSchemaURL(SchemaURL)),
		instruments: newInstruments(o.MeterProvider.Meter(scope,
			metric.WithInstrumentationVersion(Version), metric.WithSchemaURL(SchemaURL))),
		identity:   identity,
		attributes: slices.Concat(identity, o.Attributes),
	}
}

// propagates reports whether messages get a trace context.
func (i *Instrumentation) propagates() bool { return !i.propagator.isEmpty() }
