package asynqtrace

import "github.com/mqtrace/mqtrace/internal/messaging"

// A Worker traces an asynq server, with a middleware and a config that share their options.
// It is safe for concurrent use. Create one with [NewWorker].
type Worker struct {
	config

	instrumentation *messaging.Instrumentation
	process         *messaging.Operation
	routes          routes
	failures        failures
}

// NewWorker returns a worker, which replaces [Middleware] and [Config] called with the same
// options:
//
//	worker := asynqtrace.NewWorker(asynqtrace.WithQueueTime())
//	srv := asynq.NewServer(redis, worker.Config(asynq.Config{…}))
//	mux.Use(worker.Middleware())
func NewWorker(opts ...Option) *Worker {
	c := newConfig(opts)
	i := c.instrumentation()
	return &Worker{config: c, instrumentation: i, process: i.Operation("process", messaging.Process)}
}
