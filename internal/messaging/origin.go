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

// An Origin is where a consumed message comes from: the context that it was created in and
// the span in whose context it is consumed.
type Origin struct {
	// Created is the message's creation context. It is invalid if the message carries
	// none that can be used.
	Created trace.SpanContext

	consumer context.Context // the consumer's own
	ctx      context.Context // consumer plus what the message carries, with Created as span
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
		// A propagator that finds nothing returns its context unchanged. Without this, the
		// ambient span would be mistaken for the message's own.
		o.ctx = trace.ContextWithSpan(ctx, nil)
	}
}

// correlate is the rule that relates the span of a consumed message to its trace:
//
// The message's creation context is always linked; the parent is the ambient span
// if there is one, else the creation context.
//
// An ambient span that has ended is linked instead: it was left in the context, and the
// processing is not part of it. If the relation does not continue a message's trace, its span
// is a new root, and the ambient span is linked too. The link and the baggage stay in every
// case.
//
// By the conventions, links are the default, and the creation context may be the parent if
// a single message is processed.
// https://opentelemetry.io/docs/specs/semconv/messaging/messaging-spans/#consumer-spans
//
// correlate returns the context whose current span is the parent, and appends the links of
// the rule to links.
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
		// B3's debug flag, which would go out with later messages. The nil span is for
		// tracers that ignore WithNewRoot, such as the no-op one.
		ctx := baggage.ContextWithBaggage(o.consumer, baggage.FromContext(o.ctx))
		return trace.ContextWithSpan(ctx, nil), links
	case adopts:
		return trace.ContextWithSpan(o.ctx, o.ambient), links
	default:
		return o.ctx, links
	}
}

// hasEnded reports whether a span has ended. It is false for unsampled spans and spans of
// other processes, which never record.
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
