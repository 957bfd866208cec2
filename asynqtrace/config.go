package asynqtrace

import (
	"context"

	"github.com/hibiken/asynq"
)

// Config returns cfg with a BaseContext, an ErrorHandler and, if cfg has one, a
// GroupAggregator that add the traces of tasks and call those of cfg. Use it together with
// [Middleware] and with the same options, or use a [Worker] for both:
//
//	srv := asynq.NewServer(redis, asynqtrace.Config(asynq.Config{…}))
//
// The context that the error handler receives has the failed attempt's span and the task's
// baggage, so what it logs or starts is part of the trace. asynq may call it while the
// handler still runs, and before it archives the task, so the span may or may not have
// ended. In all other respects the context is asynq's own, and done after a deadline.
//
// A task whose deadline passes before asynq calls its handler never reaches the middleware;
// it gets a process span with asynq.task.outcome deadline. asynq calls no hook for tasks
// that its recoverer reclaims from a dead worker.
//
// Around the group aggregator there is a PRODUCER span "aggregate" with the group's queue,
// if the server has just one. It links to the contexts of the group's tasks, up to 128 of
// them; asynq.group.unlinked counts the rest. The task that the aggregator returns is
// replaced with a copy that carries the context of this span, which is a root because the
// tasks of a group belong to many traces. The span is an error if the aggregator returns nil,
// for which asynq enqueues nothing.
func Config(cfg asynq.Config, opts ...Option) asynq.Config {
	return NewWorker(opts...).Config(cfg)
}

// Config is the function [Config] with the options of w.
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
