package asynqtrace

import (
	"context"

	"github.com/hibiken/asynq"
)

// errorHandler is asynq's error handler with the trace of the failed attempt.
type errorHandler struct {
	worker *Worker
	next   asynq.ErrorHandler
}

var _ asynq.ErrorHandler = errorHandler{}

func (h errorHandler) HandleError(ctx context.Context, task *asynq.Task, err error) {
	ctx = h.worker.failed(ctx, task, err)
	if h.next != nil {
		h.next.HandleError(ctx, task, err)
	}
}

// failed returns asynq's context of an attempt that failed, with the attempt's span.
func (w *Worker) failed(ctx context.Context, task *asynq.Task, err error) context.Context {
	_, h := attemptIn(ctx)
	if ctx, ok := h.carryOver(ctx); ok {
		return ctx
	}
	a := w.arrive(ctx, task)
	if !a.traced || ctx.Err() == nil || !h.claim() {
		// There is no middleware, or it has not been called yet.
		return a.origin.Context(a.continueTrace)
	}
	p := process{worker: w, task: task}
	p.start(ctx, &a)
	h.put(p.ctx, true)
	p.end(err, true)
	return p.ctx
}
