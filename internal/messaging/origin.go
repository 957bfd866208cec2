package messaging

import (
	"context"

	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// Extractor reads the context that a message carries. [carrier.Table] and
// [carrier.Headers] are extractors.
type Extractor interface {
	Extract(ctx context.Context, propagator propagation.TextMapPropagator) context.Context
}

// An Origin is where a consumed message comes from, as far as traces know: the context
// that it was created in and the span in whose context it is consumed.
type Origin struct {
	// Created is the message's creation context. It is invalid if the message carries
	// none that can be used.
	Created trace.SpanContext

	consumer context.Context // the consumer's own
	ctx      context.Context // the same with what the message carries: as current span, Created
	ambient  trace.Span      // nil if there is none
}

// Read reads the origin of a message that is consumed in ctx.
func (o *Origin) Read(ctx context.Context, message Extractor, p propagation.TextMapPropagator) {
	o.ReadBatch(ctx)
	o.ctx = message.Extract(o.ctx, p)
	o.Created = trace.SpanContextFromContext(o.ctx)
}

// ReadBatch reads the origin of several messages that are consumed in ctx together. It
// has no creation context: they may be of many traces.
func (o *Origin) ReadBatch(ctx context.Context) {
	if ctx == nil {
		ctx = context.Background() // the hosts accept it, and so do we
	}
	o.consumer, o.ctx = ctx, ctx
	if ambient := trace.SpanFromContext(ctx); ambient.SpanContext().IsValid() {
		o.ambient = ambient
		// A propagator that finds nothing returns the context that it was given. Without
		// this, the ambient span would be mistaken for the message's own.
		o.ctx = trace.ContextWithSpan(ctx, nil)
	}
}

// correlate is the rule that relates the span of a consumed message to its trace:
//
// The message's creation context is always linked; the parent is the ambient span
// if there is one, else the creation context.
//
// An ambient span that has ended is linked instead: a span that was left in a context is
// no part of what goes on. A message whose trace is not to be continued gets a new root
// instead of a parent, and the ambient span is linked too. The link and the baggage stay
// in every case.
//
// Links are the conventions' default and the creation context as parent is what
// they allow for the processing of a single message.
// https://opentelemetry.io/docs/specs/semconv/messaging/messaging-spans/#consumer-spans
//
// It returns the context whose current span is the parent, and links with those of the
// rule appended.
func (o *Origin) correlate(continueTrace bool, links []trace.Link) (context.Context, []trace.Link) {
	if o.Created.IsValid() {
		links = append(links, trace.Link{SpanContext: o.Created})
	}
	adopts := o.ambient != nil && continueTrace && !hasEnded(o.ambient)
	if o.ambient != nil && !adopts {
		links = append(links, trace.Link{SpanContext: o.ambient.SpanContext()})
	}
	switch {
	case !continueTrace:
		// A propagator may have put more into the context than a span and baggage, such as
		// B3's debug flag, which would go out with later messages. The span is for tracers
		// that know no roots, such as the no-op one.
		ctx := baggage.ContextWithBaggage(o.consumer, baggage.FromContext(o.ctx))
		return trace.ContextWithSpan(ctx, nil), links
	case adopts:
		return trace.ContextWithSpan(o.ctx, o.ambient), links
	default:
		return o.ctx, links
	}
}

// hasEnded reports whether a span has ended. Unsampled spans, and spans of other processes,
// of which only the context is known, never record.
func hasEnded(s trace.Span) bool {
	sc := s.SpanContext()
	return sc.IsSampled() && !sc.IsRemote() && !s.IsRecording()
}

// Context returns the context for handling a message that is not traced here: it carries
// the message's trace, or none if a new one would have begun.
func (o *Origin) Context(continueTrace bool) context.Context {
	ctx, _ := o.correlate(continueTrace, nil)
	return ctx
}
