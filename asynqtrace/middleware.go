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
// The context that the handler receives has the span and the task's baggage. The
// span's parent is the context that the task was enqueued with, and that is linked
// too, so a retry is in the same trace as the attempt before it. If asynq's base
// context has a span, that one is the parent: leave it without.
//
// A middleware within another one, as on a mux that is a handler of another mux, leaves
// the attempt to the outer one. What calls a middleware again after a failure, such as a
// wrapper that retries, gets a span for each try and in
// messaging.client.consumed.messages one delivery.
//
// The handler's error is recorded on the span and returned unchanged. A panic ends
// the span and goes on up to asynq.
func Middleware(opts ...Option) asynq.MiddlewareFunc {
	return NewWorker(opts...).Middleware()
}

// Middleware is the function of that name with the options of w.
func (w *Worker) Middleware() asynq.MiddlewareFunc {
	return func(next asynq.Handler) asynq.Handler {
		return asynq.HandlerFunc(func(ctx context.Context, task *asynq.Task) (err error) {
			outer, held := attemptIn(ctx)
			if outer.isOf(task) {
				return next.ProcessTask(ctx, task)
			}
			p := process{worker: w, task: task, within: outer}
			p.begin(ctx)
			held.put(p.ctx)
			returned := false
			defer func() { p.end(err, returned) }()
			err = next.ProcessTask(p.ctx, task)
			returned = true
			return err
		})
	}
}
