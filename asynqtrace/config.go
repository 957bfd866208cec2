package asynqtrace

import (
	"context"

	"github.com/hibiken/asynq"
)

// Config returns cfg with a BaseContext, an ErrorHandler and, where cfg has one, a
// GroupAggregator that know the traces of tasks and call those of cfg. Use it together
// with the [Middleware] and with the same options, or with a [Worker] if there are any:
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
// middleware hears nothing, gets a process span with asynq.task.outcome deadline. asynq
// calls no hook for tasks that its recoverer takes back from a worker that died.
//
// Around the group aggregator there is a PRODUCER span "aggregate" with the group's
// queue, if the server has just one. It links to what each task of the group carries,
// up to 128 of them; asynq.group.unlinked counts the rest. The task that the aggregator
// returns is replaced by a copy that carries the context of this span, a root: the
// tasks of a group are of many traces.
func Config(cfg asynq.Config, opts ...Option) asynq.Config {
	return NewWorker(opts...).Config(cfg)
}

// Config is the function of that name with the options of w.
func (w *Worker) Config(cfg asynq.Config) asynq.Config {
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
		cfg.GroupAggregator = newAggregator(cfg, w.config, w.instrumentation)
	}
	return cfg
}
