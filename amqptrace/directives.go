package amqptrace

import (
	"context"

	"github.com/mqtrace/mqtrace/internal/messaging"
)

// WithoutTracing returns a context that leaves the messages published with it alone: they
// have no span and no metrics. They carry the context of the caller all the same.
func WithoutTracing(ctx context.Context) context.Context { return messaging.WithoutTracing(ctx) }

// WithoutPropagation returns a context whose messages carry no trace context, no baggage and
// no header of this package (but the mark of a confirmed mandatory one), as for a consumer that is none of one's own. What a message
// that is published again has of them is removed. The span of the publish, of kind CLIENT
// then, is the end of the trace.
func WithoutPropagation(ctx context.Context) context.Context {
	return messaging.WithoutPropagation(ctx)
}

// AskForNewTrace returns a context whose messages ask their consumer to start a trace of
// their own, by the header mqtrace-new-trace: for work that is no part of the request, such
// as a nightly import that a request has triggered. A consumer heeds it with the relation
// [ContinueUnlessAsked], which also heeds the header of NServiceBus for this.
func AskForNewTrace(ctx context.Context) context.Context { return messaging.WithNewTrace(ctx) }
