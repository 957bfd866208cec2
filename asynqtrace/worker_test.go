package asynqtrace_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/hibiken/asynq"

	"github.com/mqtrace/mqtrace/asynqtrace"
)

// The middleware and the config of one worker have the same options.
func TestWorker(t *testing.T) {
	t.Parallel()
	onRedis(t, func(t *testing.T, e *env) {
		s := newScene(t, e)
		s.put(s.task(asynq.MaxRetry(0)))
		worker := asynqtrace.NewWorker(s.opts(asynqtrace.WithRelation(asynqtrace.NewTrace))...)
		mux := asynq.NewServeMux()
		mux.Use(worker.Middleware())
		mux.Handle("email:", returning(errFailed))
		handled := make(chan error, 1)
		cfg := worker.Config(asynq.Config{
			Queues: map[string]int{s.queue: 1}, LogLevel: asynq.FatalLevel,
			ErrorHandler: asynq.ErrorHandlerFunc(func(ctx context.Context, _ *asynq.Task, err error) {
				_, span := s.provider.Tracer("test").Start(ctx, "handle error")
				span.End()
				handled <- err
			}),
		})
		srv := asynq.NewServer(s.redis, cfg)
		s.ok(srv.Start(mux))
		defer srv.Shutdown()
		s.is(<-handled, errFailed)
		s.until(1)
		attempt, child := s.ours()[0], s.wait(t, "handle error", 1)[0]
		if attempt.Parent().IsValid() || child.Parent().SpanID() != attempt.SpanContext().SpanID() {
			t.Errorf("the attempt's parent is %v, that of the error handler's span %v", attempt.Parent(), child.Parent())
		}
	})
}

// Task types that contain an identifier do not each become a time series.
func TestTaskTypesOfMetricsAreBounded(t *testing.T) {
	t.Parallel()
	s := newScene(t, newEnv(t, startRedis(t)))
	handler := asynqtrace.Middleware(s.opts()...)(returning(nil))
	client := asynqtrace.NewClient(asynq.NewClient(s.redis), s.opts()...)
	defer func() { _ = client.Close() }()
	const types = 200
	for i := range types {
		task := asynq.NewTask(fmt.Sprint("email:", i), nil, asynq.Queue(s.queue))
		s.ok(handler.ProcessTask(context.Background(), task))
		_, err := client.Enqueue(task)
		s.ok(err)
	}
	for name, sets := range s.attributeSets() {
		other := 0
		for _, set := range sets {
			if v, ok := set.Value("asynq.task.type"); ok && v.AsString() == "_OTHER" {
				other++
			}
		}
		if name != "mqtrace.messages.without_context" && (len(sets) != 65 || other != 1) {
			t.Errorf("%s has %d time series, %d of them for the other types", name, len(sets), other)
		}
	}
	for i, span := range s.ours() {
		if got := attributes(span)["asynq.task.type"]; got != fmt.Sprint("email:", i/2) {
			t.Errorf("span %d has the type %v", i, got)
		}
	}
}
