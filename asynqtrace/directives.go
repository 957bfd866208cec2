package asynqtrace

import (
	"context"

	"github.com/mqtrace/mqtrace/internal/messaging"
)

// WithoutTracing returns a copy of ctx with which a [Client] enqueues a task without a span
// and metrics. The task still carries the caller's context, as if [WithFilter] excluded it:
//
//	info, err := client.EnqueueContext(asynqtrace.WithoutTracing(ctx), task)
//
// It applies to everything that is enqueued or published with the context, by package
// amqptrace too. It is not passed on to the task's handler.
func WithoutTracing(ctx context.Context) context.Context { return messaging.WithoutTracing(ctx) }

// WithoutPropagation returns a copy of ctx with which a [Client] and [Inject] put nothing
// into a task: no trace context, no baggage and no header of this package. Those that the
// task already has are removed. The enqueue still has metrics and a span, of kind CLIENT
// since no task carries its context; combine with [WithoutTracing] to have neither.
//
// It applies to everything that is enqueued or published with the context, by package
// amqptrace too.
func WithoutPropagation(ctx context.Context) context.Context {
	return messaging.WithoutPropagation(ctx)
}

// AskForNewTrace returns a copy of ctx with which a [Client] and [Inject] ask the worker of
// a task to start a new trace for it, linked to the trace of ctx. They set the task's
// header mqtrace-new-trace to 1, as any other program may. A worker follows it with the
// relation [ContinueUnlessAsked], or with your own that uses Message.NewTraceAsked.
//
// It applies to everything that is enqueued or published with the context, by package
// amqptrace too, but not to what the task's handler enqueues.
func AskForNewTrace(ctx context.Context) context.Context { return messaging.WithNewTrace(ctx) }
