package auto

import (
	"context"
	"sync"
	"sync/atomic"
	_ "unsafe" // for go:linkname

	"github.com/hibiken/asynq"

	"github.com/mqtrace/mqtrace/asynqtrace"
)

// worker traces the servers of the program, by the options of the environment.
var worker = sync.OnceValue(func() *asynqtrace.Worker { return asynqtrace.NewWorker(settings().asynq...) })

// clientEnqueue is called first by EnqueueContext, which Enqueue calls too. It has enqueued
// the task where done is true. The field is woven into asynq.Client.
//
//go:linkname clientEnqueue
func clientEnqueue(
	ctx context.Context, field *atomic.Value, host *asynq.Client, task *asynq.Task, opts []asynq.Option,
) (info *asynq.TaskInfo, err error, done bool) {
	if off() || isInside() {
		return nil, nil, false
	}
	client, ok := field.Load().(*asynqtrace.Client)
	if !ok {
		client = asynqtrace.NewClient(host, settings().asynq...)
		field.Store(client)
	}
	ctx = current(ctx)
	defer leave(enter())
	info, err = client.EnqueueContext(ctx, task, opts...)
	return info, err, true
}

// serverConfig is called with the config of each server.
//
//go:linkname serverConfig
func serverConfig(cfg asynq.Config) asynq.Config {
	if off() || isOf(asynqtracePath, cfg.ErrorHandler) {
		return cfg
	}
	return worker().Config(cfg)
}

// serverHandler is called with the handler that a server starts with, and where that is an
// asynq.ServeMux, with its middleware.
//
//go:linkname serverHandler
func serverHandler(h asynq.Handler, middleware []asynq.MiddlewareFunc) asynq.Handler {
	if off() || h == nil {
		return h
	}
	inScope := asynq.HandlerFunc(func(ctx context.Context, task *asynq.Task) error {
		s, before := begin(ctx)
		defer s.end(before)
		return h.ProcessTask(ctx, task)
	})
	if isOf(asynqtracePath, h) {
		return h
	}
	for _, m := range middleware {
		if isOf(asynqtracePath, m) {
			return h
		}
	}
	return worker().Middleware()(inScope)
}

// schedulerOpts is called with the options of each scheduler, that of a periodic task manager
// included.
//
//go:linkname schedulerOpts
func schedulerOpts(opts *asynq.SchedulerOpts) *asynq.SchedulerOpts {
	if off() || opts != nil && isOf(asynqtracePath, opts.PreEnqueueFunc) {
		return opts
	}
	return asynqtrace.SchedulerOpts(opts, settings().asynq...)
}

const asynqtracePath = "github.com/mqtrace/mqtrace/asynqtrace."
