package messaging

import (
	"context"
	"slices"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	metricnoop "go.opentelemetry.io/otel/metric/noop"
	"go.opentelemetry.io/otel/trace"
)

// An Operation starts the spans of one operation, such as publish or process, and measures
// it. It holds what those spans and measurements have in common, so that it is computed
// once and not for each message.
type Operation struct {
	// Attributes are on all spans of the operation. They must not be changed.
	Attributes []attribute.KeyValue

	instrumentation *Instrumentation
	name            string
	durationType    []attribute.KeyValue // the operation type, if the duration metric has it
	sends, adopts   bool                 // a send or a process operation
	exception       exceptionEvent
	spanKind        trace.SpanStartOption
	duration        metric.Float64Histogram
	counter         metric.Int64Counter
	measurements    Cache[Point, *measurement]
	adoptions       adoptions
}

// Operation describes the operation that the messaging system calls name.
func (i *Instrumentation) Operation(name string, kind OperationKind) *Operation {
	o := &Operation{
		Attributes: slices.Concat(i.attributes,
			[]attribute.KeyValue{operationName(name), kind.operationType}),
		instrumentation: i,
		durationType:    kind.durationType(),
		exception:       kind.exception,
		name:            name,
		spanKind:        trace.WithSpanKind(kind.spanKind),
		duration:        i.instruments.operationDuration,
		counter:         metricnoop.Int64Counter{},
	}
	switch kind {
	case Send:
		o.sends = true
		o.counter = i.instruments.sent
	case Receive:
		o.counter = i.instruments.consumed
	case Process:
		o.adopts = true
		o.duration, o.counter = i.instruments.processDuration, i.instruments.consumed
	}
	return o
}

// SpanName returns the name of the operation's spans on a destination, which has low
// cardinality or is empty.
// https://opentelemetry.io/docs/specs/semconv/messaging/messaging-spans/#span-name
func (o *Operation) SpanName(destination string) string {
	if destination == "" {
		return o.name
	}
	return o.name + " " + ValidText(destination)
}

// A SpanStart holds the properties of a span at its start. Everything known is set then,
// because samplers see nothing that comes later.
type SpanStart struct {
	Name string
	// Shared are attributes that the span has in common with others, including the
	// operation's. They are not changed.
	Shared  []attribute.KeyValue
	Links   []trace.Link
	NewRoot bool
	// At is the start time, or zero for now.
	At time.Time
	// NotCarried reports whether the message goes out without the span's context.
	NotCarried bool
}

// Start starts a span whose parent is the current span of ctx, unless it is a new root.
func (o *Operation) Start(ctx context.Context, s SpanStart, own ...attribute.KeyValue) (context.Context, trace.Span) {
	if ctx == nil {
		ctx = context.Background() // the hosts accept it, and so do we
	}
	return o.start(ctx, s, new(given), s.Links, own)
}

// StartProducer starts the span of sending a message.
func (o *Operation) StartProducer(
	ctx context.Context, s SpanStart, own ...attribute.KeyValue,
) (context.Context, trace.Span) {
	ctx, span := o.Start(ctx, s, own...)
	if span.IsRecording() && !s.NotCarried {
		o.instrumentation.warnOfNoPropagator()
	}
	return ctx, span
}

// LinkReplaced links the span of sending a message to the creation context that the message
// had before: it is published again, or the program has set a context itself. The context
// of the caller's span is not linked, since that span is the parent.
// https://opentelemetry.io/docs/specs/semconv/messaging/messaging-spans/#producer-spans
func (o *Operation) LinkReplaced(caller context.Context, span trace.Span, message Extractor) {
	if !span.IsRecording() {
		return
	}
	created := trace.SpanContextFromContext(message.Extract(context.Background(), o.instrumentation.Propagator))
	if created.IsValid() && created.SpanID() != trace.SpanContextFromContext(caller).SpanID() {
		span.AddLink(trace.Link{SpanContext: created})
	}
}

// StartConsumer starts the span of an operation on consumed messages. Its parent and links
// follow from their origin and continueTrace, see correlate.
func (o *Operation) StartConsumer(
	from *Origin, continueTrace bool, s SpanStart, own ...attribute.KeyValue,
) (context.Context, trace.Span) {
	s.NewRoot = !continueTrace
	g := new(given)
	ctx, links := from.correlate(continueTrace, append(g.links[:0], s.Links...))
	if continueTrace && from.ambient != nil && o.adopts {
		o.adoptions.note(o.instrumentation.scope, from)
	}
	return o.start(ctx, s, g, links, own)
}

// given holds the arguments of a call to Tracer.Start. They escape to the heap, since
// Tracer is an interface, so they are allocated together as far as they fit.
type given struct {
	attributes [10]attribute.KeyValue
	links      [1]trace.Link
	options    [4]trace.SpanStartOption
}

func (o *Operation) start(
	ctx context.Context, s SpanStart, g *given, links []trace.Link, own []attribute.KeyValue,
) (context.Context, trace.Span) {
	attributes := append(append(g.attributes[:0], s.Shared...), own...)
	kind := o.spanKind
	if o.sends && (s.NotCarried || !o.instrumentation.propagates()) {
		kind = notCarried
	}
	options := append(g.options[:0], kind, trace.WithAttributes(attributes...))
	if len(links) > 0 {
		options = append(options, trace.WithLinks(links...))
	}
	if s.NewRoot {
		options = append(options, trace.WithNewRoot())
	}
	if !s.At.IsZero() {
		options = append(options, trace.WithTimestamp(s.At))
	}
	return o.instrumentation.tracer.Start(ctx, s.Name, options...)
}

// notCarried is the kind of a send span whose context no message carries.
// https://opentelemetry.io/docs/specs/semconv/messaging/messaging-spans/#span-kind
var notCarried = trace.WithSpanKind(trace.SpanKindClient)
