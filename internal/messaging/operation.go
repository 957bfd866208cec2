package messaging

import (
	"context"
	"slices"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	metricnoop "go.opentelemetry.io/otel/metric/noop"
	"go.opentelemetry.io/otel/trace"
)

// An Operation starts the spans of one operation, such as publish or process, and
// measures it. It holds what those spans and measurements have in common, so that
// nothing of it is worked out for each message.
type Operation struct {
	instrumentation *Instrumentation
	name            string
	kind            trace.SpanStartOption
	attributes      []attribute.KeyValue

	duration metric.Float64Histogram
	counter  metric.Int64Counter
	cache    measurements
}

// Operation describes the operation that the messaging system calls name.
func (i *Instrumentation) Operation(name string, kind OperationKind) *Operation {
	o := &Operation{
		instrumentation: i,
		name:            name,
		kind:            trace.WithSpanKind(kind.spanKind),
		attributes: slices.Concat(i.attributes,
			[]attribute.KeyValue{operationName(name), kind.operationType}),
		duration: i.instruments.operationDuration,
		counter:  metricnoop.Int64Counter{},
	}
	switch kind {
	case Send:
		o.counter = i.instruments.sent
	case Receive:
		o.counter = i.instruments.consumed
	case Process:
		o.duration, o.counter = i.instruments.processDuration, i.instruments.consumed
	}
	return o
}

// SpanName is the name of the operation's spans on a destination, which has few
// values or is empty.
// https://opentelemetry.io/docs/specs/semconv/messaging/messaging-spans/#span-name
func (o *Operation) SpanName(destination string) string {
	if destination == "" {
		return o.name
	}
	return o.name + " " + ValidText(destination)
}

// Attributes returns a new slice of the attributes that all of the operation's
// spans have, with room for n further ones. They are given at the start of a span
// because samplers see no later ones.
func (o *Operation) Attributes(n int) []attribute.KeyValue {
	return append(make([]attribute.KeyValue, 0, len(o.attributes)+n), o.attributes...)
}

// Start starts a span whose parent is the current span of ctx, with links that the
// caller knows.
func (o *Operation) Start(
	ctx context.Context, spanName string, attributes []attribute.KeyValue, links []trace.Link,
	more ...trace.SpanStartOption,
) (context.Context, trace.Span) {
	if ctx == nil {
		ctx = context.Background() // the hosts accept it, and so do we
	}
	room := len(more) + 2 + min(len(links), 1) // start's own, and no more: it is made for each message
	return o.start(ctx, spanName, attributes, links, append(make([]trace.SpanStartOption, 0, room), more...))
}

// start appends to opts.
func (o *Operation) start(
	ctx context.Context, spanName string, attributes []attribute.KeyValue, links []trace.Link,
	opts []trace.SpanStartOption,
) (context.Context, trace.Span) {
	opts = append(opts, o.kind, trace.WithAttributes(attributes...))
	if len(links) > 0 {
		opts = append(opts, trace.WithLinks(links...))
	}
	return o.instrumentation.tracer.Start(ctx, spanName, opts...)
}

// Room is what StartConsumer needs for a message. It is for a part of what its caller
// allocates for the message anyway, since each allocation costs more than its size.
type Room struct {
	links [1]trace.Link
	opts  [3]trace.SpanStartOption
}

// StartConsumer starts the span of an operation on a message, tied to the message's
// trace by the rule of the package, and tells which creation context the message has, if any.
func (o *Operation) StartConsumer(
	ctx context.Context, spanName string, message Extractor, continueTrace bool,
	attributes []attribute.KeyValue, room *Room, more ...trace.SpanStartOption,
) (context.Context, trace.Span, *trace.SpanContext) {
	c := correlate(ctx, message, o.instrumentation.Propagator, continueTrace, room.links[:0])
	opts := append(room.opts[:0], more...)
	if c.newRoot {
		opts = append(opts, trace.WithNewRoot())
	}
	ctx, span := o.start(c.ctx, spanName, attributes, c.links, opts)
	return ctx, span, c.created
}

// Created is the creation context that a message carries, or nil.
func (i *Instrumentation) Created(ctx context.Context, message Extractor) *trace.SpanContext {
	c := correlate(ctx, message, i.Propagator, true, nil)
	return c.created
}

// Propagate returns ctx as StartConsumer does, but for the span: it is for messages
// that are not traced here and whose trace goes on all the same.
func (i *Instrumentation) Propagate(ctx context.Context, message Extractor, continueTrace bool) context.Context {
	c := correlate(ctx, message, i.Propagator, continueTrace, nil)
	return c.ctx
}
