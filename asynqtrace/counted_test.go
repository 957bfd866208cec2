package asynqtrace_test

import (
	"context"
	"fmt"
	"reflect"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/mqtrace/mqtrace/asynqtrace"
)

func (s *scene) wantCounted(spans, consumed, settled, without int) {
	s.Helper()
	c, st, w := s.counted()
	if len(s.ours()) != spans || c != consumed || st != settled || w != without {
		s.Errorf("%d spans, %d consumed, %d settled, %d without context, want %d, %d, %d, %d",
			len(s.ours()), c, st, w, spans, consumed, settled, without)
	}
}

// The middleware is used for the whole program and, by another package, for a part of it.
func TestCountedOnceUnderTwoMiddlewares(t *testing.T) {
	t.Parallel()
	for name, err := range map[string]error{"done": nil, "failed": errFailed} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScene(t, newEnv(t, startRedis(t)))
			inner := asynq.NewServeMux()
			inner.Use(asynqtrace.Middleware(s.opts()...), asynqtrace.Middleware(s.opts()...))
			var span trace.SpanContext
			inner.HandleFunc("email:", func(ctx context.Context, _ *asynq.Task) error {
				span = trace.SpanContextFromContext(ctx)
				return err
			})
			outer := asynq.NewServeMux()
			outer.Use(asynqtrace.Middleware(s.opts()...))
			// Like a wrapper that decrypts payloads.
			outer.Use(func(next asynq.Handler) asynq.Handler {
				return asynq.HandlerFunc(func(ctx context.Context, task *asynq.Task) error {
					return next.ProcessTask(ctx, asynq.NewTask(task.Type(), []byte("plain")))
				})
			})
			outer.Handle("email:", inner)
			if got := outer.ProcessTask(context.Background(), asynq.NewTask("email:welcome", nil)); got != err { // the very same error
				t.Errorf("error %v", got)
			}
			s.wantCounted(1, 1, 1, 1)
			got := s.ours()[0]
			if got.SpanContext().SpanID() != span.SpanID() || (got.Status().Code == codes.Error) != (err != nil) {
				t.Errorf("status %v, the handler had %v", got.Status(), span)
			}
		})
	}
}

// If the caller of the middleware retries at once, each attempt has a span.
func TestCountedOnceUnderRetries(t *testing.T) {
	t.Parallel()
	for name, fail := range map[string]func() error{
		"errors": func() error { return errFailed },
		"panics": func() error { panic("poison") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScene(t, newEnv(t, startRedis(t)))
			tries := 0
			handler := asynqtrace.Middleware(s.opts(asynqtrace.WithQueueTime())...)(asynq.HandlerFunc(func(context.Context, *asynq.Task) error {
				if tries++; tries%3 != 0 {
					return fail()
				}
				return nil
			}))
			try := func(task *asynq.Task) (err error) {
				defer func() {
					if recover() != nil {
						err = errFailed
					}
				}()
				return handler.ProcessTask(context.Background(), task)
			}
			for range 2 { // two deliveries
				task := asynq.NewTaskWithHeaders("email:welcome", nil, map[string]string{"mqtrace-sent-at": fmt.Sprint(time.Now().UnixMicro())})
				for try(task) != nil {
				}
			}
			s.wantCounted(6, 2, 6, 2)
			if n := s.queueTimes(); n != 2 {
				t.Errorf("%d queue times, want 2", n)
			}
		})
	}
}

// asynq delivers a failed task again, which is another delivery, even if Config.IsFailure
// leaves the retry count unchanged.
func TestEachAttemptIsCounted(t *testing.T) {
	t.Parallel()
	onRedis(t, func(t *testing.T, e *env) {
		s := newScene(t, e)
		s.put(s.task())
		var calls atomic.Int64
		s.work(3, asynq.Config{IsFailure: func(error) bool { return false }}, func(context.Context, *asynq.Task) error {
			if calls.Add(1) < 3 {
				return errFailed
			}
			return nil
		})
		s.wantCounted(3, 3, 3, 0)
	})
}

// A task may get the address of an earlier one that failed and was collected.
func TestTaskAtTheAddressOfAFailedOne(t *testing.T) {
	t.Parallel()
	s := newScene(t, newEnv(t, startRedis(t)))
	handler := asynqtrace.Middleware(s.opts()...)(returning(errFailed))
	seen := make(map[uintptr]bool)
	tasks, reused := 0, 0
	for began := time.Now(); reused < 3 && time.Since(began) < patience; tasks++ {
		task := asynq.NewTask("email:welcome", nil)
		address := reflect.ValueOf(task).Pointer()
		if seen[address] {
			reused++
		}
		seen[address] = true
		s.is(handler.ProcessTask(context.Background(), task), errFailed)
		runtime.GC()
	}
	if reused < 3 {
		t.Fatalf("of %d tasks, %d have the address of an earlier one", tasks, reused)
	}
	s.wantCounted(tasks, tasks, tasks, tasks)
}

// A handler that calls another one for a task of another type does so within its own
// delivery.
func TestTaskWithinATask(t *testing.T) {
	t.Parallel()
	s := newScene(t, newEnv(t, startRedis(t)))
	mux := asynq.NewServeMux()
	mux.Use(asynqtrace.Middleware(s.opts()...))
	mux.HandleFunc("step", func(context.Context, *asynq.Task) error { return errFailed })
	mux.HandleFunc("all", func(ctx context.Context, _ *asynq.Task) error {
		_ = mux.ProcessTask(ctx, asynq.NewTask("step", nil))
		return nil
	})
	s.ok(mux.ProcessTask(context.Background(), asynq.NewTask("all", nil)))
	s.wantCounted(2, 1, 1, 1)
	if step, all := s.ours()[0], s.ours()[1]; step.Parent().SpanID() != all.SpanContext().SpanID() || step.Status().Code != codes.Error || all.Status().Code != codes.Unset {
		t.Errorf("step with parent %v and %v, all with %v", step.Parent(), step.Status(), all.Status())
	}
}

// A middleware before ours waits until asynq has given the attempt up, which the error
// handler has recorded by then. The handler runs nevertheless.
func TestAttemptThatIsGivenUpBeforeItBegins(t *testing.T) {
	t.Parallel()
	onRedis(t, func(t *testing.T, e *env) {
		s := newScene(t, e)
		s.put(s.task(asynq.Timeout(time.Second), asynq.MaxRetry(0)))
		wait := func(next asynq.Handler) asynq.HandlerFunc {
			return func(ctx context.Context, task *asynq.Task) error {
				<-ctx.Done()
				s.until(1)
				return next.ProcessTask(ctx, task)
			}
		}
		srv := asynq.NewServer(s.redis, asynqtrace.Config(s.queues(asynq.Config{LogLevel: asynq.FatalLevel}), s.opts()...))
		s.ok(srv.Start(wait(asynqtrace.Middleware(s.opts()...)(returning(nil)))))
		s.until(2)
		srv.Shutdown()
		s.wantCounted(2, 1, 1, 0)
	})
}
