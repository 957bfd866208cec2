package auto

import (
	"context"
	"sync"
	"sync/atomic"
	_ "unsafe" // for go:linkname

	"github.com/hibiken/asynq"

	"github.com/mqtrace/mqtrace/asynqtrace"
)

// worker traces the program's servers, with the options from the environment.
var worker = sync.OnceValue(func() *asynqtrace.Worker {
	defer leave(enter())
	return asynqtrace.NewWorker(settings().asynq...)
})

// clientEnqueue is called at the start of EnqueueContext, which Enqueue calls too. If done
// is true, it has enqueued the task. The field is woven into asynq.Client.
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
	if off() || ownWorkers.Load() {
		return cfg
	}
	return worker().Config(cfg)
}

// serverHandler is called with the handler that a server starts with.
//
//go:linkname serverHandler
func serverHandler(h asynq.Handler) asynq.Handler {
	if off() || h == nil {
		return h
	}
	traced := worker().Middleware()(asynq.HandlerFunc(func(ctx context.Context, task *asynq.Task) error {
		s, before := begin(ctx)
		defer s.end(before)
		return h.ProcessTask(ctx, task)
	}))
	return asynq.HandlerFunc(func(ctx context.Context, task *asynq.Task) error {
		if ownWorkers.Load() {
			return h.ProcessTask(ctx, task)
		}
		return traced.ProcessTask(ctx, task)
	})
}

// schedulerOpts is called with the options of each scheduler, including the one of a
// PeriodicTaskManager.
//
//go:linkname schedulerOpts
func schedulerOpts(opts *asynq.SchedulerOpts) *asynq.SchedulerOpts {
	if off() || opts != nil && isOfAsynqtrace(opts.PreEnqueueFunc) {
		return opts
	}
	return asynqtrace.SchedulerOpts(opts, settings().asynq...)
}
