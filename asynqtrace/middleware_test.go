package asynqtrace_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/hibiken/asynq"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/mqtrace/mqtrace/asynqtrace"
)

func startRedis(t *testing.T) string {
	t.Helper()
	return miniredis.RunT(t).Addr()
}

func TestOneTraceThroughTheQueue(t *testing.T) {
	onRedis(t, func(t *testing.T, e *env) {
		var tenant atomic.Value
		e.serve(t, asynq.Config{}, func(ctx context.Context, task *asynq.Task) error {
			tenant.Store(baggage.FromContext(ctx).Member("tenant.id").Value())
			_, err := task.ResultWriter().Write([]byte("sent"))
			return err
		})
		ctx, request := e.request(t)
		info, err := e.client(t).EnqueueContext(ctx,
			asynq.NewTask("email:welcome", nil, asynq.Queue(e.queue), asynq.MaxRetry(2), asynq.Retention(time.Minute)))
		if err != nil {
			t.Fatal(err)
		}
		enqueue := e.wait(t, "enqueue "+e.queue, 1)[0]
		process := e.wait(t, "process "+e.queue, 1)[0]
		if enqueue.Parent().SpanID() != request.SpanContext().SpanID() {
			t.Errorf("the parent of the enqueue span is %v", enqueue.Parent())
		}
		wantParentAndLink(t, process, enqueue.SpanContext())
		if process.SpanKind() != trace.SpanKindConsumer || process.Status().Code != codes.Unset {
			t.Errorf("kind %v, status %v", process.SpanKind(), process.Status())
		}
		wantAttributes(t, process, map[string]any{
			"messaging.system": "asynq", "messaging.operation.name": "process", "messaging.operation.type": "process",
			"messaging.destination.name": e.queue, "messaging.message.id": info.ID,
			"asynq.task.type": "email:welcome", "asynq.task.retry_count": int64(0), "asynq.task.max_retry": int64(2),
			"asynq.task.outcome": "done",
		})
		if tenant.Load() != "t1" {
			t.Errorf("baggage %v", tenant.Load())
		}
	})
}

func TestOutcomes(t *testing.T) {
	t.Parallel()
	failure := errors.New("no mail server")
	onRedis(t, func(t *testing.T, e *env) {
		for name, tt := range map[string]struct {
			handle   asynq.HandlerFunc
			opts     []asynq.Option
			outcomes []string
			failed   bool
		}{
			"retry and exhausted": {
				func(context.Context, *asynq.Task) error { return failure },
				[]asynq.Option{asynq.MaxRetry(1)}, []string{"retry", "exhausted"}, true,
			},
			"skipped": {
				func(context.Context, *asynq.Task) error { return fmt.Errorf("bad address: %w", asynq.SkipRetry) },
				nil, []string{"skipped"}, true,
			},
			"revoked": {
				func(context.Context, *asynq.Task) error { return fmt.Errorf("not needed: %w", asynq.RevokeTask) },
				nil, []string{"revoked"}, false,
			},
			"panic": {
				func(context.Context, *asynq.Task) error { panic("poison") },
				[]asynq.Option{asynq.MaxRetry(0)}, []string{"exhausted"}, true,
			},
			"deadline": {
				func(ctx context.Context, _ *asynq.Task) error { <-ctx.Done(); return nil },
				[]asynq.Option{asynq.MaxRetry(0), asynq.Timeout(time.Second)}, []string{"deadline"}, true,
			},
		} {
			t.Run(name, func(t *testing.T) {
				e.Reset()
				stop := e.serve(t, asynq.Config{}, tt.handle)
				defer stop()
				opts := append([]asynq.Option{asynq.Queue(e.queue)}, tt.opts...)
				if _, err := e.client(t).Enqueue(asynq.NewTask("email:welcome", nil, opts...)); err != nil {
					t.Fatal(err)
				}
				enqueue := e.wait(t, "enqueue "+e.queue, 1)[0]
				for i, s := range e.wait(t, "process "+e.queue, len(tt.outcomes)) {
					wantParentAndLink(t, s, enqueue.SpanContext())
					got := attributes(s)
					if got["asynq.task.outcome"] != tt.outcomes[i] || got["asynq.task.retry_count"] != int64(i) {
						t.Errorf("attempt %d: %v", i, got)
					}
					if failed := s.Status().Code == codes.Error; failed != tt.failed || failed != (got["error.type"] != nil) {
						t.Errorf("attempt %d: status %v, error.type %v", i, s.Status(), got["error.type"])
					}
				}
			})
		}
	})
}

func TestCancelledByShutdown(t *testing.T) {
	onRedis(t, func(t *testing.T, e *env) {
		started := make(chan struct{})
		stop := e.serve(t, asynq.Config{ShutdownTimeout: time.Millisecond}, func(ctx context.Context, _ *asynq.Task) error {
			close(started)
			<-ctx.Done()
			return ctx.Err()
		})
		if _, err := e.client(t).Enqueue(asynq.NewTask("email:welcome", nil, asynq.Queue(e.queue))); err != nil {
			t.Fatal(err)
		}
		<-started
		stop()
		s := e.wait(t, "process "+e.queue, 1)[0]
		if got := attributes(s)["asynq.task.outcome"]; got != "cancelled" {
			t.Errorf("outcome %v", got)
		}
	})
}

// asynq logs and stores the origin of a panic, which has to be the handler.
func TestPanicKeepsItsPlace(t *testing.T) {
	onRedis(t, func(t *testing.T, e *env) {
		failed := make(chan error, 1)
		e.serve(t, asynq.Config{ErrorHandler: asynq.ErrorHandlerFunc(func(_ context.Context, _ *asynq.Task, err error) {
			failed <- err
		})}, func(context.Context, *asynq.Task) error { panic("poison") })
		if _, err := e.client(t).Enqueue(asynq.NewTask("email:welcome", nil, asynq.Queue(e.queue), asynq.MaxRetry(0))); err != nil {
			t.Fatal(err)
		}
		if err := <-failed; !strings.Contains(err.Error(), "middleware_test.go:") || !strings.Contains(err.Error(), "poison") {
			t.Errorf("asynq says %q", err)
		}
		if got := attributes(e.wait(t, "process "+e.queue, 1)[0])["error.type"]; got != "panic" {
			t.Errorf("error.type %v", got)
		}
	})
}

// A handler may be called without a server, as in its own tests, with or without valid
// headers.
func TestHandlerWithoutServer(t *testing.T) {
	e := newEnv(t, startRedis(t))
	failure := errors.New("failure")
	handler := asynqtrace.Middleware(append(e.options(), asynqtrace.WithAttributes(attribute.String("team", "a")))...)(
		asynq.HandlerFunc(func(context.Context, *asynq.Task) error { return failure }))
	for _, headers := range []map[string]string{
		nil,
		{"traceparent": "\xff", "tracestate": "x", "baggage": strings.Repeat("k=v,", 1<<18)},
		{"traceparent": "00-0-0-01", "Traceparent": "other"},
	} {
		e.Reset()
		if err := handler.ProcessTask(context.Background(), asynq.NewTaskWithHeaders("email:welcome", nil, headers)); err != failure { // the very same error
			t.Errorf("error %v", err)
		}
		s := e.wait(t, "process", 1)[0]
		if len(s.Links()) != 0 || s.Parent().IsValid() {
			t.Errorf("links %v, parent %v", s.Links(), s.Parent())
		}
		wantAttributes(t, s, map[string]any{
			"messaging.system": "asynq", "messaging.operation.name": "process", "messaging.operation.type": "process",
			"asynq.task.type": "email:welcome", "asynq.task.outcome": "retry", "team": "a", "error.type": "*errors.errorString",
		})
	}
}

// The ambient span is the parent, and the creation context is linked all the same.
func TestAmbientSpan(t *testing.T) {
	e := newEnv(t, startRedis(t))
	handler := asynqtrace.Middleware(e.options()...)(
		asynq.HandlerFunc(func(context.Context, *asynq.Task) error { return nil }))
	ctx, ambient := e.request(t)
	task := asynq.NewTaskWithHeaders("email:welcome", nil,
		map[string]string{"traceparent": "00-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa-1111111111111111-01"})
	if err := handler.ProcessTask(ctx, task); err != nil {
		t.Fatal(err)
	}
	s := e.wait(t, "process", 1)[0]
	if s.Parent().SpanID() != ambient.SpanContext().SpanID() {
		t.Errorf("parent %v", s.Parent())
	}
	if l := s.Links(); len(l) != 1 || l[0].SpanContext.SpanID().String() != "1111111111111111" {
		t.Errorf("links %v", l)
	}
}

// A span in the context that has ended is linked and does not become the parent.
func TestAmbientSpanThatHasEnded(t *testing.T) {
	e := newEnv(t, startRedis(t))
	ctx, ambient := e.request(t)
	ambient.End()
	task := asynq.NewTaskWithHeaders("email:welcome", nil, map[string]string{"traceparent": creator})
	if err := asynqtrace.Middleware(e.options()...)(returning(nil)).ProcessTask(ctx, task); err != nil {
		t.Fatal(err)
	}
	s := e.wait(t, "process", 1)[0]
	if s.Parent().SpanID().String() != creatorSpan {
		t.Errorf("parent %v", s.Parent())
	}
	if l := s.Links(); len(l) != 2 || l[0].SpanContext.SpanID().String() != creatorSpan || l[1].SpanContext.SpanID() != ambient.SpanContext().SpanID() {
		t.Errorf("links %v", l)
	}
}

// Adopting tasks of different traces is reported once.
func TestAmbientSpanThatAdoptsAll(t *testing.T) {
	handled := handledErrors(t)
	e := newEnv(t, startRedis(t))
	ctx, _ := e.request(t)
	handler := asynqtrace.Middleware(e.options()...)(returning(nil))
	for i := range 5 {
		task := asynq.NewTaskWithHeaders("email:welcome", nil, map[string]string{"traceparent": fmt.Sprintf("00-%032x-%016x-01", i+1, i+1)})
		if err := handler.ProcessTask(ctx, task); err != nil {
			t.Fatal(err)
		}
	}
	if errs := handled(); len(errs) != 1 || !strings.Contains(errs[0].Error(), "asynqtrace") {
		t.Errorf("handled %v", errs)
	}
}
