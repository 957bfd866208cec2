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
// The handler's error is recorded on the span and returned unchanged. A panic ends
// the span and goes on up to asynq.
func Middleware(opts ...Option) asynq.MiddlewareFunc {
	w := newWorker(opts)
	return func(next asynq.Handler) asynq.Handler {
		return asynq.HandlerFunc(func(ctx context.Context, task *asynq.Task) (err error) {
			held := holderOf(ctx)
			p := w.begin(ctx, task)
			held.put(p.ctx)
			returned := false
			defer func() { p.end(err, returned) }()
			err = next.ProcessTask(p.ctx, task)
			returned = true
			return err
		})
	}
}
