package asynqtrace

import (
	"context"
	"sync/atomic"

	"github.com/hibiken/asynq"
	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/trace"
)

// Config returns cfg with a BaseContext, an ErrorHandler and, where cfg has one, a
// GroupAggregator that know the traces of tasks and call those of cfg. Use it together
// with the [Middleware] and with the same options:
//
//	srv := asynq.NewServer(redis, asynqtrace.Config(asynq.Config{…}))
//
// In the context that the error handler receives the span of the failed attempt is
// current, and it has the task's baggage: what the error handler logs or starts is
// part of the trace. asynq may call it while the handler still runs, and before it
// archives the task, so the span may have ended or not. The context is asynq's own in
// all else, and done after a deadline.
//
// A task whose deadline has passed before asynq could call its handler, of which the
// middleware hears nothing, gets a process span with asynq.task.outcome deadline. Tasks
// that asynq's recoverer takes back from a worker that died are told to nobody.
//
// Around the group aggregator there is a PRODUCER span "aggregate" with the group's
// queue, if the server has just one. It links to what each task of the group carries,
// up to 128 of them; asynq.group.unlinked counts the rest. The task that the aggregator
// returns is replaced by a copy that carries the context of this span, a root: the
// tasks of a group are of many traces.
func Config(cfg asynq.Config, opts ...Option) asynq.Config {
	w := newWorker(opts)
	base := cfg.BaseContext
	cfg.BaseContext = func() context.Context {
		if base != nil {
			if ctx := base(); ctx != nil {
				return withHolder(ctx)
			}
		}
		return withHolder(context.Background())
	}
	cfg.ErrorHandler = errorHandler{w, cfg.ErrorHandler}
	if cfg.GroupAggregator != nil {
		cfg.GroupAggregator = newAggregator(cfg, opts)
	}
	return cfg
}

// errorHandler is asynq's error handler with the trace of the failed attempt.
type errorHandler struct {
	worker *worker
	next   asynq.ErrorHandler
}

var _ asynq.ErrorHandler = errorHandler{}

// HandleError calls the user's error handler.
func (h errorHandler) HandleError(ctx context.Context, task *asynq.Task, err error) {
	ctx = h.worker.failed(ctx, task, err)
	if h.next != nil {
		h.next.HandleError(ctx, task, err)
	}
}

// failed returns asynq's context of an attempt that failed, with the attempt's span.
func (w *worker) failed(ctx context.Context, task *asynq.Task, err error) context.Context {
	h := holderOf(ctx)
	if ctx, ok := h.carryOver(ctx); ok {
		return ctx
	}
	a := w.arrive(ctx, task)
	if !a.traced || ctx.Err() == nil || !h.claim() {
		// There is no middleware, or it has not got so far yet.
		return a.origin.Context(a.continueTrace)
	}
	p := w.start(ctx, &a)
	h.put(p.ctx)
	p.end(err, true)
	return p.ctx
}

// holder carries the context of an attempt from the middleware to the error handler,
// which gets asynq's context and not the handler's. It is put into the base context,
// which asynq asks for anew for each task.
//
// It is atomic because asynq calls the error handler while the handler may still run:
// after a deadline, a lost lease and a cancellation.
type holder struct {
	context atomic.Pointer[held]
}

type held struct{ ctx context.Context }

type holderKey struct{}

func withHolder(ctx context.Context) context.Context {
	return context.WithValue(ctx, holderKey{}, new(holder))
}

// holderOf returns nil where the server was not configured by Config. All methods
// work on that.
func holderOf(ctx context.Context) *holder {
	h, _ := ctx.Value(holderKey{}).(*holder)
	return h
}

func (h *holder) put(ctx context.Context) {
	if h != nil {
		h.context.Store(&held{ctx})
	}
}

// claim keeps an empty holder from being claimed by another.
func (h *holder) claim() bool { return h != nil && h.context.CompareAndSwap(nil, &held{}) }

// carryOver returns ctx with the span and the baggage that were put, if any. The span
// may have ended or not.
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
