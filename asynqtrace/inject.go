package asynqtrace

import (
	"context"

	"github.com/hibiken/asynq"
	"go.opentelemetry.io/otel/trace"

	"github.com/mqtrace/mqtrace/carrier"
	"github.com/mqtrace/mqtrace/internal/messaging"
)

// Inject returns a copy of task that carries the context of ctx, for a task that is not
// enqueued by a [Client]. The copy keeps the options that task was made with, such as queue
// and retries. There is no span: the parent of the attempts is the current span of ctx.
//
// A task that was made with asynq.ProcessIn or asynq.ProcessAt is stamped with the time, as
// by a Client; the options of the call that enqueues it are not known. Of the options,
// [WithPropagators], [WithBaggageKeys] and [WithQueueTime] matter. A nil task comes back as
// nil.
func Inject(ctx context.Context, task *asynq.Task, opts ...Option) *asynq.Task {
	l, err := layout()
	if task == nil || err != nil {
		return task
	}
	c := newConfig(opts)
	to := targetOf(task, nil, l, nil)
	headers, _ := c.headers(ctx, messaging.DirectivesOf(ctx), c.shared.Propagator(), task, to.delayed())
	return l.withHeaders(task, headers)
}

// SpanContextFromTaskInfo returns the context that a task carries, of the span that
// enqueued it, whose trace contains the attempts. It is for tasks from asynq's Inspector,
// whether pending, retried or archived. The context is invalid if the task carries none. Of
// the options, [WithPropagators] matters.
func SpanContextFromTaskInfo(info *asynq.TaskInfo, opts ...Option) trace.SpanContext {
	if info == nil {
		return trace.SpanContext{}
	}
	c := newConfig(opts)
	ctx := carrier.Headers(info.Headers).Extract(context.Background(), c.shared.Propagator())
	return trace.SpanContextFromContext(ctx)
}
