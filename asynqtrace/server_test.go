package asynqtrace_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/mqtrace/mqtrace/asynqtrace"
)

type baseKey struct{}

// What the error handler starts is a child of the attempt, and everything the user has
// configured still works.
func TestErrorHandlerIsInTheTrace(t *testing.T) {
	t.Parallel()
	for name, handle := range map[string]asynq.HandlerFunc{
		"failed":  returning(errFailed),
		"revoked": returning(asynq.RevokeTask),
		"panic":   func(context.Context, *asynq.Task) error { panic("poison") },
		// asynq calls the error handler while the handler still runs.
		"deadline": func(ctx context.Context, _ *asynq.Task) error {
			<-ctx.Done()
			time.Sleep(100 * time.Millisecond)
			return ctx.Err()
		},
		"expired": nil, // never called
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onRedis(t, func(t *testing.T, e *env) {
				s := newScene(t, e)
				opts := []asynq.Option{asynq.MaxRetry(0), asynq.Timeout(time.Second)}
				if handle == nil {
					opts = append(opts, asynq.Deadline(time.Now().Add(-time.Minute)))
				}
				member, _ := baggage.NewMember("tenant.id", "t1")
				bag, _ := baggage.New(member)
				s.ctx = baggage.ContextWithBaggage(s.ctx, bag)
				s.put(s.task(opts...))
				handled := make(chan string, 1)
				s.work(1, asynq.Config{
					BaseContext: func() context.Context { return context.WithValue(context.Background(), baseKey{}, "base") },
					ErrorHandler: asynq.ErrorHandlerFunc(func(ctx context.Context, task *asynq.Task, _ error) {
						_, span := s.provider.Tracer("test").Start(ctx, "handle error")
						span.End()
						id, _ := asynq.GetTaskID(ctx)
						handled <- fmt.Sprint(ctx.Value(baseKey{}), " ", id, " ", task.Type(), " ", baggage.FromContext(ctx))
					}),
				}, handle)
				if got := <-handled; got != "base t1 email:welcome tenant.id=t1" {
					t.Errorf("the error handler got %q", got)
				}
				attempt := s.wait(t, "process "+s.queue, 1)[0]
				child := s.wait(t, "handle error", 1)[0]
				if child.Parent().SpanID() != attempt.SpanContext().SpanID() || child.SpanContext().TraceID() != s.caller.SpanContext().TraceID() {
					t.Errorf("the error handler's span has parent %v, want the attempt %v", child.Parent(), attempt.SpanContext())
				}
				if n := len(s.ours()); n != 1 {
					t.Errorf("%d process spans for one attempt", n)
				}
			})
		})
	}
}

// Without the middleware, or with a filtered task, the error handler is in the trace that
// the task came with.
func TestErrorHandlerWithoutAttempt(t *testing.T) {
	e := newEnv(t, startRedis(t))
	for name, opts := range map[string][]asynqtrace.Option{
		"no middleware": nil,
		"filtered":      {asynqtrace.WithFilter(func(asynqtrace.Message) bool { return false })},
	} {
		t.Run(name, func(t *testing.T) {
			e.Reset()
			var parent trace.SpanContext
			opts := append(e.options(), opts...)
			cfg := asynqtrace.Config(asynq.Config{
				BaseContext: func() context.Context { return nil },
				ErrorHandler: asynq.ErrorHandlerFunc(func(ctx context.Context, _ *asynq.Task, _ error) {
					parent = trace.SpanContextFromContext(ctx)
				}),
			}, opts...)
			task := asynq.NewTaskWithHeaders("email:welcome", nil, map[string]string{"traceparent": creator})
			ctx := cfg.BaseContext()
			if len(opts) > len(e.options()) {
				_ = asynqtrace.Middleware(opts...)(returning(errFailed)).ProcessTask(ctx, task)
			}
			cfg.ErrorHandler.HandleError(ctx, task, errFailed)
			if parent.SpanID().String() != creatorSpan || len(e.Started()) != 0 {
				t.Errorf("current span %v, %d spans", parent, len(e.Started()))
			}
		})
	}
	// The user has neither an error handler nor a base context.
	cfg := asynqtrace.Config(asynq.Config{}, e.options()...)
	cfg.ErrorHandler.HandleError(context.Background(), asynq.NewTask("email:welcome", nil), errors.New("failed"))
	if cfg.GroupAggregator != nil {
		t.Error("a server without groups got a group aggregator")
	}
}

func aggregate(e *env, queues map[string]int, tasks []*asynq.Task, returned *asynq.Task, opts ...asynqtrace.Option) *asynq.Task {
	cfg := asynqtrace.Config(asynq.Config{
		Queues:          queues,
		GroupAggregator: asynq.GroupAggregatorFunc(func(string, []*asynq.Task) *asynq.Task { return returned }),
	}, append(e.options(), opts...)...)
	return cfg.GroupAggregator.Aggregate("g", tasks)
}

// However large a group is, its span has 128 links at most and counts the others.
func TestLargeGroup(t *testing.T) {
	e := newEnv(t, startRedis(t))
	tasks := []*asynq.Task{asynq.NewTask("email:plain", nil)} // carries nothing
	for i := range 200 {
		tasks = append(tasks, asynq.NewTaskWithHeaders("email:welcome", nil,
			map[string]string{"traceparent": fmt.Sprintf("00-%032x-%016x-01", i+1, i+1)}))
	}
	own := asynq.NewTaskWithHeaders("email:digest", []byte("all"), map[string]string{"k": "v"}, asynq.MaxRetry(7))
	got := aggregate(e, map[string]int{"a": 1, "b": 2}, tasks, own, asynqtrace.WithQueueTime())
	s := e.wait(t, "aggregate", 1)[0]
	if len(s.Links()) != 128 || s.DroppedLinks() != 0 || s.Parent().IsValid() {
		t.Errorf("%d links, %d dropped, parent %v", len(s.Links()), s.DroppedLinks(), s.Parent())
	}
	if a := s.Links()[0].Attributes; len(a) != 1 || a[0] != attribute.String("asynq.task.type", "email:welcome") {
		t.Errorf("attributes of a link: %v", a)
	}
	wantAttributes(t, s, map[string]any{
		"messaging.system": "asynq", "messaging.operation.name": "aggregate", "messaging.operation.type": "send",
		"messaging.batch.message_count": int64(201), "asynq.group": "g", "asynq.group.unlinked": int64(72),
		"asynq.task.type": "email:digest",
	})
	if got == own || len(own.Headers()) != 1 || got.Headers()["k"] != "v" || got.Headers()["mqtrace-sent-at"] == "" ||
		string(got.Payload()) != "all" || len(asynqtrace.OptionsOf(got)) != 1 {
		t.Errorf("the new task is %v with headers %v; the user's has %v", got, got.Headers(), own.Headers())
	}
	info := &asynq.TaskInfo{Headers: got.Headers()}
	if sc := asynqtrace.SpanContextFromTaskInfo(info, asynqtrace.WithPropagators(propagator)); sc.SpanID() != s.SpanContext().SpanID() {
		t.Errorf("the new task carries %v, want the aggregate", sc)
	}
}

// A context that the user's aggregator has injected into its task is linked once, and
// replaced.
func TestAggregatedTaskWithContext(t *testing.T) {
	e := newEnv(t, startRedis(t))
	grouped := asynq.NewTaskWithHeaders("email:welcome", nil, map[string]string{"traceparent": creator})
	const other = "2222222222222222"
	own := asynq.NewTaskWithHeaders("email:digest", nil, map[string]string{"traceparent": "00-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa-" + other + "-01"})
	for i, tt := range []struct {
		returned *asynq.Task
		links    []string
	}{{own, []string{creatorSpan, other}}, {grouped, []string{creatorSpan}}} {
		got := aggregate(e, nil, []*asynq.Task{grouped}, tt.returned)
		s := e.wait(t, "aggregate default", i+1)[i]
		var links []string
		for _, l := range s.Links() {
			links = append(links, l.SpanContext.SpanID().String())
		}
		if !slices.Equal(links, tt.links) {
			t.Errorf("links %v, want %v", links, tt.links)
		}
		info := &asynq.TaskInfo{Headers: got.Headers()}
		if sc := asynqtrace.SpanContextFromTaskInfo(info, e.options()...); sc.SpanID() != s.SpanContext().SpanID() {
			t.Errorf("the task carries %v", sc)
		}
	}
	defer asynqtrace.BreakLayout(errors.New("unknown layout"))()
	if got := aggregate(e, nil, []*asynq.Task{grouped}, own); got != own {
		t.Errorf("the task became %v", got)
	}
	if s := e.wait(t, "aggregate default", 3)[2]; s.SpanKind() != trace.SpanKindClient {
		t.Errorf("kind %v of a span whose context the task does not carry", s.SpanKind())
	}
}

func TestGroupsOfOddKinds(t *testing.T) {
	e := newEnv(t, startRedis(t))
	tasks := []*asynq.Task{asynq.NewTask("email:welcome", nil)}
	if got := aggregate(e, nil, tasks, nil); got != nil {
		t.Errorf("nil became %v", got)
	}
	if s := e.wait(t, "aggregate default", 1)[0]; s.Status().Code != codes.Error || attributes(s)["error.type"] == nil {
		t.Errorf("nothing will be enqueued: status %v, attributes %v", s.Status(), attributes(s))
	}
	own := asynq.NewTask("email:digest", nil)
	none := asynqtrace.WithFilter(func(asynqtrace.Message) bool { return false })
	if got := aggregate(e, nil, tasks, own, none); got != own {
		t.Errorf("a group that is not traced became %v", got)
	}
	if got := aggregate(e, nil, nil, own); got != own {
		t.Errorf("an empty group became %v", got)
	}
	if len(e.Started()) != 1 {
		t.Errorf("%d spans, want 1", len(e.Started()))
	}
	panicking := asynqtrace.Config(asynq.Config{GroupAggregator: asynq.GroupAggregatorFunc(
		func(string, []*asynq.Task) *asynq.Task { panic("poison") })}, e.options()...)
	func() {
		defer func() {
			if r := recover(); r != "poison" {
				t.Errorf("the panic became %v", r)
			}
		}()
		panicking.GroupAggregator.Aggregate("g", tasks)
	}()
	if s := e.wait(t, "aggregate default", 2)[1]; attributes(s)["error.type"] != "panic" {
		t.Errorf("attributes %v", attributes(s))
	}
}
