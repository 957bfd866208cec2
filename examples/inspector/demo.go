package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/hibiken/asynq"
	"go.opentelemetry.io/otel/propagation"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/mqtrace/mqtrace/asynqtrace"
)

// newDemo returns a Redis with two tasks that have failed: one for good, and one that will
// be retried in an hour.
func newDemo(ctx context.Context) (*miniredis.Miniredis, error) {
	server, err := miniredis.Run()
	if err != nil {
		return nil, err
	}
	if err := failTasks(ctx, asynq.RedisClientOpt{Addr: server.Addr()}); err != nil {
		server.Close()
		return nil, err
	}
	return server, nil
}

func failTasks(ctx context.Context, redis asynq.RedisClientOpt) error {
	provider := sdktrace.NewTracerProvider()
	defer func() { _ = provider.Shutdown(ctx) }()
	opts := []asynqtrace.Option{
		asynqtrace.WithTracerProvider(provider), asynqtrace.WithPropagators(propagation.TraceContext{}),
	}
	client := asynqtrace.NewClient(asynq.NewClient(redis), opts...)
	defer func() { _ = client.Close() }()
	for id, retries := range map[string]int{"archived": 0, "retried": 1} {
		task := asynq.NewTask("email:welcome", nil, asynq.TaskID(id), asynq.MaxRetry(retries))
		if _, err := client.EnqueueContext(ctx, task); err != nil {
			return err
		}
	}
	worker := asynqtrace.NewWorker(opts...)
	srv := asynq.NewServer(redis, worker.Config(asynq.Config{
		LogLevel:       asynq.FatalLevel,
		RetryDelayFunc: func(int, error, *asynq.Task) time.Duration { return time.Hour },
	}))
	mux := asynq.NewServeMux()
	mux.Use(worker.Middleware())
	mux.HandleFunc("email:", func(context.Context, *asynq.Task) error { return errors.New("no mail server") })
	if err := srv.Start(mux); err != nil {
		return err
	}
	defer srv.Shutdown()
	return await(redis)
}

// await waits until both tasks have failed.
func await(redis asynq.RedisClientOpt) error {
	inspector := asynq.NewInspector(redis)
	defer func() { _ = inspector.Close() }()
	for range 6000 {
		q, err := inspector.GetQueueInfo("default")
		if err != nil {
			return err
		}
		if q.Archived == 1 && q.Retry == 1 {
			return nil
		}
		time.Sleep(10 * time.Millisecond)
	}
	return fmt.Errorf("the tasks of %s did not fail in time", redis.Addr)
}
