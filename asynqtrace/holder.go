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

type held struct{ ctx context.Context }

func withHolder(ctx context.Context) context.Context {
	return context.WithValue(ctx, attemptKey{}, new(holder))
}

func (h *holder) put(ctx context.Context) {
	if h != nil {
		h.context.Store(&held{ctx})
	}
}

// claim reports whether the caller is the first to claim an empty holder.
func (h *holder) claim() bool { return h != nil && h.context.CompareAndSwap(nil, &held{}) }

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
