package asynqtrace

import (
	"context"
	"sync/atomic"

	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/trace"
)

// holder carries the context of an attempt from the middleware to the error handler, which
// gets asynq's context and not the handler's. It is part of the base context, which asynq
// requests for each task.
//
// It is atomic because asynq calls the error handler while the handler may still run:
// after a deadline, a lost lease and a cancellation.
type holder struct {
	context atomic.Pointer[held]
}

type held struct {
	ctx     context.Context // nil until the attempt has a span
	counted bool            // by the error handler, before the middleware was called
}

func withHolder(ctx context.Context) context.Context {
	return context.WithValue(ctx, attemptKey{}, new(holder))
}

func (h *holder) put(ctx context.Context, counted bool) {
	if h != nil {
		h.context.Store(&held{ctx, counted})
	}
}

// claim reports whether the error handler is the first to give the attempt a span.
func (h *holder) claim() bool {
	return h != nil && h.context.CompareAndSwap(nil, &held{counted: true})
}

// enter claims the attempt for the middleware, and reports whether the error handler was
// first: another middleware may have waited until asynq gave the attempt up.
func (h *holder) enter() (counted bool) {
	return h != nil && !h.context.CompareAndSwap(nil, new(held)) && h.context.Load().counted
}

// carryOver returns ctx with the span, which may have ended, and the baggage that were put,
// if any.
func (h *holder) carryOver(ctx context.Context) (context.Context, bool) {
	if h == nil {
		return ctx, false
	}
	of := h.context.Load()
	if of == nil || of.ctx == nil {
		return ctx, false
	}
	ctx = trace.ContextWithSpan(ctx, trace.SpanFromContext(of.ctx))
	return baggage.ContextWithBaggage(ctx, baggage.FromContext(of.ctx)), true
}
