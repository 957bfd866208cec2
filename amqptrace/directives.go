package amqptrace

import (
	"context"

	"github.com/mqtrace/mqtrace/internal/messaging"
)

// WithoutTracing returns a copy of ctx whose messages are published without a span and
// without metrics. They still carry the context of the caller, as if [WithFilter] excluded
// them. It applies to everything that is published or enqueued with the context, by package
// asynqtrace too, and not to what a consumer of the message publishes.
func WithoutTracing(ctx context.Context) context.Context { return messaging.WithoutTracing(ctx) }

// WithoutPropagation returns a copy of ctx whose messages carry no trace context, no baggage
// and no header of this package except the mark of a confirmed mandatory message, for
// consumers outside your services. Such headers are removed from a message that is
// published again. The span of the publish, of kind CLIENT, is where the trace ends. It
// applies to package asynqtrace too.
func WithoutPropagation(ctx context.Context) context.Context {
	return messaging.WithoutPropagation(ctx)
}

// AskForNewTrace returns a copy of ctx whose messages ask their consumer to start a new
// trace, by the header mqtrace-new-trace: for work that is not part of the request, such as
// an import that runs for hours. A consumer follows it with the relation
// [ContinueUnlessAsked], which also follows NServiceBus's header for this. It applies to
// package asynqtrace too, and not to what a consumer of the message publishes.
func AskForNewTrace(ctx context.Context) context.Context { return messaging.WithNewTrace(ctx) }
