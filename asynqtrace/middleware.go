package asynqtrace

import (
	"context"

	"github.com/hibiken/asynq"
)

// Middleware returns a middleware with a CONSUMER span around each attempt at a
// task. Use it first, so that what other middlewares do is part of the attempt:
//
//	mux.Use(asynqtrace.Middleware(), others...)
//
// The context that the handler receives has the span and the task's baggage. The span's
// parent is the context that the task was enqueued with, and that is linked too, so a retry
// is in the same trace as the attempt before it. If asynq's base context has a span, that
// one is the parent, so the base context should have none.
//
// A middleware within another one, as with nested muxes, leaves the attempt to the outer
// one. If a wrapper retries by calling the middleware again after a failure, each try has a
// span, and messaging.client.consumed.messages counts one delivery.
//
// The handler's error is recorded on the span and returned unchanged. A panic ends the span
// and propagates to asynq.
func Middleware(opts ...Option) asynq.MiddlewareFunc {
	return NewWorker(opts...).Middleware()
}

// Middleware is the function [Middleware] with the options of w.
func (w *Worker) Middleware() asynq.MiddlewareFunc {
	return func(next asynq.Handler) asynq.Handler {
		return asynq.HandlerFunc(func(ctx context.Context, task *asynq.Task) (err error) {
			outer, held := attemptIn(ctx)
			if outer.isOf(task) {
				return next.ProcessTask(ctx, task)
			}
			p := process{worker: w, task: task, within: outer, counted: held.enter()}
			p.begin(ctx)
			held.put(p.ctx, p.counted)
			returned := false
			defer func() { p.end(err, returned) }()
			err = next.ProcessTask(p.ctx, task)
			returned = true
			return err
		})
	}
}
