package asynqtrace

import (
	"context"

	"github.com/mqtrace/mqtrace/internal/messaging"
)

// WithoutTracing returns a copy of ctx with which a [Client] enqueues a task without a span
// and metrics. The task carries the caller's context on, as with a [WithFilter] that leaves
// it out:
//
//	info, err := client.EnqueueContext(asynqtrace.WithoutTracing(ctx), task)
//
// It counts for everything that is enqueued or published with the context, also by package
// amqptrace. The context of a task's handler never has it from the task.
func WithoutTracing(ctx context.Context) context.Context { return messaging.WithoutTracing(ctx) }

// WithoutPropagation returns a copy of ctx with which a [Client] and [Inject] put nothing
// into a task: no trace context, no baggage and no header of this package. Those that the
// task already has are removed. The span of the enqueue, of kind
// CLIENT since no task carries its context, and metrics stay; for neither see
// [WithoutTracing], with which this may be combined.
//
// It counts for everything that is enqueued or published with the context, also by package
// amqptrace.
func WithoutPropagation(ctx context.Context) context.Context {
	return messaging.WithoutPropagation(ctx)
}

// AskForNewTrace returns a copy of ctx with which a [Client] and [Inject] ask the worker of a
// task to start a new trace for it, which is linked to the one of ctx. They put the header
// mqtrace-new-trace with the value 1 into the task, as any other program may. A worker honours
// it with the relation [ContinueUnlessAsked], or one of its own that looks at
// Message.NewTraceAsked.
//
// It counts for everything that is enqueued or published with the context, also by package
// amqptrace, and not for what the task's handler enqueues.
func AskForNewTrace(ctx context.Context) context.Context { return messaging.WithNewTrace(ctx) }
