package messaging

import (
	"context"

	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// Extractor reads the context that a message carries. [carrier.Table], [carrier.Headers]
// and [headers.Reader] are extractors.
type Extractor interface {
	Extract(ctx context.Context, propagator propagation.TextMapPropagator) context.Context
}

// correlation is how the span of a consumed message is tied to its trace.
type correlation struct {
	ctx     context.Context // the parent is its current span; it has the message's baggage
	links   []trace.Link
	created *trace.SpanContext // the message's creation context, as its link has it, if any
	newRoot bool
}

// correlate is the rule that ties the span of a consumed message to its trace:
//
// The message's creation context is always linked; the parent is the ambient span
// if there is one, else the creation context.
//
// A message whose trace is not to be continued gets a new root instead of a parent,
// and the ambient span is linked too. The link and the baggage stay in every case.
//
// Links are the conventions' default and the creation context as parent is what
// they allow for the processing of a single message.
// https://opentelemetry.io/docs/specs/semconv/messaging/messaging-spans/#consumer-spans
//
// links has room for the links.
func correlate(
	ctx context.Context, message Extractor, p propagation.TextMapPropagator, continueTrace bool, links []trace.Link,
) correlation {
	if ctx == nil {
		ctx = context.Background()
	}
	ambient := trace.SpanFromContext(ctx)
	isAmbient := ambient.SpanContext().IsValid()
	if isAmbient {
		// A propagator that finds nothing returns the context that it was given.
		// Without this the ambient span would pass for the message's own.
		ctx = trace.ContextWithSpan(ctx, nil)
	}
	c := correlation{ctx: message.Extract(ctx, p), newRoot: !continueTrace, links: links}
	if created := trace.SpanContextFromContext(c.ctx); created.IsValid() {
		c.links = append(c.links, trace.Link{SpanContext: created})
		c.created = &c.links[len(c.links)-1].SpanContext
	}
	switch {
	case c.newRoot:
		if isAmbient {
			c.links = append(c.links, trace.Link{SpanContext: ambient.SpanContext()})
		}
		// For tracers that know nothing of roots, such as the no-op one.
		c.ctx = trace.ContextWithSpan(c.ctx, nil)
	case isAmbient:
		c.ctx = trace.ContextWithSpan(c.ctx, ambient)
	}
	return c
}
