// Package email is the email worker: it takes tasks from Redis and sends
// confirmations.
package email

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/hibiken/asynq"
	"go.opentelemetry.io/otel/trace"

	"github.com/mqtrace/mqtrace/asynqtrace"
	"github.com/mqtrace/mqtrace/examples/order-notification/httpserver"
	"github.com/mqtrace/mqtrace/examples/order-notification/tasks"
	"github.com/mqtrace/mqtrace/examples/order-notification/telemetry"
)

// Name is the service's name.
const Name = "email-worker"

const (
	concurrency = 4
	// drainTimeout is how long tasks in progress may take once the worker is stopping.
	// asynq requeues the rest.
	drainTimeout = 3 * time.Second
)

// Config configures the worker.
type Config struct {
	Redis    asynq.RedisClientOpt
	Queue    string
	HTTPAddr string // for the health check

	// RetryDelay is the delay before each retry. By default, it is asynq's,
	// which grows with each attempt.
	RetryDelay time.Duration
	// PollInterval is how often Redis is asked for tasks that are due. By
	// default, asynq's: a second for new ones, five for retries.
	PollInterval time.Duration
}

// Worker is the email worker.
type Worker struct {
	log    *slog.Logger
	tracer trace.Tracer
	asynq  *asynq.Server
	mux    *asynq.ServeMux
	queue  string
	server *httpserver.Server
}

// New connects to Redis. The caller calls [Worker.Run].
func New(ctx context.Context, cfg Config, t *telemetry.Telemetry) (*Worker, error) {
	if err := tasks.Ping(ctx, cfg.Redis); err != nil {
		return nil, err
	}
	w := &Worker{log: t.Log, tracer: t.Tracer(), queue: cfg.Queue, mux: asynq.NewServeMux()}
	w.mux.Use(asynqtrace.Middleware(
		asynqtrace.WithTracerProvider(t.TracerProvider),
		asynqtrace.WithMeterProvider(t.MeterProvider),
		asynqtrace.WithPropagators(t.Propagators),
		asynqtrace.WithQueueTime(),
	))
	w.mux.HandleFunc(tasks.TypeOrderConfirmation, w.confirmOrder)
	var err error
	w.server, err = httpserver.Listen(ctx, cfg.HTTPAddr, httpserver.NewHealthMux(w.health))
	if err != nil {
		return nil, err
	}
	w.asynq = asynq.NewServer(cfg.Redis, asynqConfig(cfg, t.Log))
	return w, nil
}

func asynqConfig(cfg Config, log *slog.Logger) asynq.Config {
	out := asynq.Config{
		Concurrency:              concurrency,
		Queues:                   map[string]int{cfg.Queue: 1},
		ShutdownTimeout:          drainTimeout,
		TaskCheckInterval:        cfg.PollInterval,
		DelayedTaskCheckInterval: cfg.PollInterval,
		Logger:                   asynqLogger{log},
		LogLevel:                 asynq.WarnLevel,
	}
	if cfg.RetryDelay > 0 {
		out.RetryDelayFunc = func(int, error, *asynq.Task) time.Duration { return cfg.RetryDelay }
	}
	return out
}

// URL returns the base URL of the health check.
func (w *Worker) URL() string { return w.server.URL() }

// Run works until ctx ends.
func (w *Worker) Run(ctx context.Context) error {
	// Start and Shutdown instead of asynq's Run, which handles signals itself.
	if err := w.asynq.Start(w.mux); err != nil {
		return errors.Join(fmt.Errorf("start the asynq server: %w", err), w.server.Close())
	}
	w.log.InfoContext(ctx, "waiting for email tasks", "queue", w.queue, "url", w.URL())
	err := w.server.Run(ctx)
	w.asynq.Shutdown()
	return err
}

func (w *Worker) health(context.Context) error {
	if err := w.asynq.Ping(); err != nil {
		return fmt.Errorf("redis does not answer: %w", err)
	}
	return nil
}
