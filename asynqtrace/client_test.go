package asynqtrace_test

import (
	"context"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"go.opentelemetry.io/otel"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"github.com/mqtrace/mqtrace/asynqtrace"
	"github.com/mqtrace/mqtrace/carrier"
)

func TestEnqueueSpan(t *testing.T) {
	onRedis(t, func(t *testing.T, e *env) {
		tests := map[string]struct {
			task  *asynq.Task
			opts  []asynq.Option
			queue string
		}{
			"queue of the task":      {asynq.NewTask("email:welcome", nil, asynq.Queue(e.queue)), nil, e.queue},
			"queue of the call":      {asynq.NewTask("email:welcome", nil, asynq.Queue("other")), []asynq.Option{asynq.Queue(e.queue)}, e.queue},
			"with headers":           {asynq.NewTaskWithHeaders("email:welcome", nil, map[string]string{"k": "v"}, asynq.Queue(e.queue)), nil, e.queue},
			"option that is nil":     {asynq.NewTask("email:welcome", nil, nil, asynq.Queue(e.queue)), []asynq.Option{nil}, e.queue},
			"option asynq ignores":   {asynq.NewTask("email:welcome", nil, asynq.Queue(e.queue)), []asynq.Option{foreignOption{asynq.Queue("other")}, foreignOption{}}, e.queue},
			"identifier of the task": {asynq.NewTask("email:welcome", nil, asynq.Queue(e.queue), asynq.TaskID("id-1")), nil, e.queue},
		}
		for name, tt := range tests {
			t.Run(name, func(t *testing.T) {
				e.Reset()
				ctx, request := e.request(t)
				info, err := e.client(t).EnqueueContext(ctx, tt.task, tt.opts...)
				if err != nil {
					t.Fatal(err)
				}
				span := e.wait(t, "enqueue "+tt.queue, 1)[0]
				if span.SpanKind() != trace.SpanKindProducer || span.Parent().SpanID() != request.SpanContext().SpanID() {
					t.Errorf("kind %v, parent %v", span.SpanKind(), span.Parent())
				}
				wantAttributes(t, span, map[string]any{
					"messaging.system": "asynq", "messaging.operation.name": "enqueue", "messaging.operation.type": "send",
					"messaging.destination.name": tt.queue, "messaging.message.id": info.ID, "asynq.task.type": "email:welcome",
				})
				if scope := span.InstrumentationScope(); scope.Name != asynqtrace.ScopeName ||
					scope.Version == "" || scope.SchemaURL != semconv.SchemaURL {
					t.Errorf("scope %+v", scope)
				}
				stored := carrier.Headers(info.Headers).Extract(context.Background(), propagator)
				if sc := trace.SpanContextFromContext(stored); sc.SpanID() != span.SpanContext().SpanID() {
					t.Errorf("the task carries %v, want %v", sc, span.SpanContext())
				}
			})
		}
	})
}

// foreignOption is an option of a type that asynq does not know.
type foreignOption struct{ asynq.Option }

// The task's own options reach asynq, and the caller's task is not changed.
func TestEnqueueKeepsTheTask(t *testing.T) {
	onRedis(t, func(t *testing.T, e *env) {
		at := time.Now().Add(time.Hour).Truncate(time.Second)
		task := asynq.NewTaskWithHeaders("email:welcome", []byte("payload"), map[string]string{"k": "v"},
			asynq.Queue(e.queue), asynq.MaxRetry(3), asynq.ProcessAt(at), asynq.Timeout(7*time.Second),
			asynq.Retention(time.Hour), asynq.TaskID("id-7"))
		optionsBefore := slices.Clone(asynqtrace.OptionsOf(task))

		info, err := e.client(t).Enqueue(task)
		if err != nil {
			t.Fatal(err)
		}
		if info.Queue != e.queue || info.MaxRetry != 3 || !info.NextProcessAt.Equal(at) || info.Timeout != 7*time.Second ||
			info.Retention != time.Hour || info.ID != "id-7" || string(info.Payload) != "payload" || info.Headers["k"] != "v" {
			t.Errorf("enqueued %+v", info)
		}
		if !maps.Equal(task.Headers(), map[string]string{"k": "v"}) ||
			!reflect.DeepEqual(asynqtrace.OptionsOf(task), optionsBefore) || string(task.Payload()) != "payload" {
			t.Errorf("the caller's task became %v with headers %v", task, task.Headers())
		}
		inspector := asynq.NewInspector(e.redis)
		defer func() { _ = inspector.Close() }()
		kept, err := inspector.GetTaskInfo(e.queue, "id-7")
		if err != nil || kept.Headers["traceparent"] == "" {
			t.Errorf("Redis has %+v, %v", kept, err)
		}
	})
}

// noContext is a nil context: the caller's mistake, on which we must not panic.
var noContext context.Context

func TestEnqueueKeepsGroupAndDeadline(t *testing.T) {
	onRedis(t, func(t *testing.T, e *env) {
		at := time.Now().Add(time.Hour).Truncate(time.Second)
		client := e.client(t)
		grouped, err := client.Enqueue(asynq.NewTask("email:welcome", nil, asynq.Queue(e.queue), asynq.Group("g"), asynq.Deadline(at)))
		if err != nil || grouped.Group != "g" || !grouped.Deadline.Equal(at) || grouped.State != asynq.TaskStateAggregating {
			t.Errorf("enqueued %+v, %v", grouped, err)
		}
		task := asynq.NewTask("email:welcome", nil, asynq.Queue(e.queue), asynq.ProcessIn(time.Hour))
		delayed, err := client.EnqueueContext(noContext, task)
		if err != nil || delayed.State != asynq.TaskStateScheduled || delayed.NextProcessAt.Before(at.Add(-time.Minute)) {
			t.Errorf("enqueued %+v, %v", delayed, err)
		}
	})
}

// On a real Redis, 8 goroutines enqueue one task 10,000 times each if MQTRACE_MANY is set.
// The in-process one takes quadratic time for long lists.
func TestOneTaskFromManyGoroutines(t *testing.T) {
	onRedis(t, func(t *testing.T, e *env) {
		goroutines, each := 8, 200
		if strings.HasSuffix(t.Name(), "/Redis") && os.Getenv("MQTRACE_MANY") != "" {
			each = 10_000
		}
		// asynq itself would write to the spare capacity of such options from all
		// goroutines.
		opts := append(make([]asynq.Option, 0, 8), asynq.Queue(e.queue), asynq.Retention(time.Minute))
		headers := map[string]string{"k": "v"}
		task := asynq.NewTaskWithHeaders("email:welcome", nil, headers, opts...)
		client := e.client(t)
		var wg sync.WaitGroup
		seen := make([]map[string]bool, goroutines)
		for g := range goroutines {
			seen[g] = make(map[string]bool, each)
			wg.Go(func() {
				for range each {
					info, err := client.Enqueue(task, asynq.MaxRetry(g))
					if err != nil || info.MaxRetry != g || info.Queue != e.queue || info.Retention != time.Minute || info.Headers["k"] != "v" {
						t.Errorf("enqueued %+v, %v", info, err)
						return
					}
					seen[g][info.Headers["traceparent"]] = true
				}
			})
		}
		wg.Wait()
		all := make(map[string]bool)
		for _, s := range seen {
			maps.Copy(all, s)
		}
		if len(all) != goroutines*each || len(e.Ended()) != goroutines*each {
			t.Errorf("%d traceparents and %d spans for %d tasks", len(all), len(e.Ended()), goroutines*each)
		}
		if !maps.Equal(task.Headers(), map[string]string{"k": "v"}) || len(asynqtrace.OptionsOf(task)) != 2 || opts[:3][2] != nil {
			t.Errorf("the shared task has headers %v and options %v", task.Headers(), opts[:8])
		}
		inspector := asynq.NewInspector(e.redis)
		defer func() { _ = inspector.Close() }()
		if q, err := inspector.GetQueueInfo(e.queue); err != nil || q.Pending != goroutines*each {
			t.Errorf("the queue has %+v, %v", q, err)
		}
	})
}

func TestQueueTime(t *testing.T) {
	t.Parallel()
	onRedis(t, func(t *testing.T, e *env) {
		client := asynqtrace.NewClient(asynq.NewClient(e.redis), append(e.options(), asynqtrace.WithQueueTime())...)
		defer func() { _ = client.Close() }()
		if _, err := client.Enqueue(asynq.NewTask("email:welcome", nil, asynq.Queue(e.queue), asynq.ProcessIn(time.Second))); err != nil {
			t.Fatal(err)
		}
		e.serveWith(t, asynq.Config{}, returning(nil), asynqtrace.WithQueueTime())
		got := attributes(e.wait(t, "process "+e.queue, 1)[0])["mqtrace.queue_time"]
		if seconds, ok := got.(float64); !ok || seconds < 0 || seconds > 20 { // asynq cuts times to whole seconds
			t.Errorf("queue time %v", got)
		}
	})
	e := newEnv(t, startRedis(t))
	e.handle(t, map[string]string{"mqtrace-sent-at": "99999999999999999"}, asynqtrace.WithQueueTime())
	if got := attributes(e.wait(t, "process", 1)[0])["mqtrace.queue_time"]; got != 0.0 {
		t.Errorf("queue time %v of a task from the future", got)
	}
}

// A context that the task already has, such as one that is enqueued again, is linked and
// replaced.
func TestTaskWithContext(t *testing.T) {
	onRedis(t, func(t *testing.T, e *env) {
		ctx, request := e.request(t)
		task := asynq.NewTaskWithHeaders("email:welcome", nil, map[string]string{"traceparent": creator}, asynq.Queue(e.queue))
		info, err := e.client(t).EnqueueContext(ctx, task)
		if err != nil {
			t.Fatal(err)
		}
		s := e.wait(t, "enqueue "+e.queue, 1)[0]
		if l := s.Links(); len(l) != 1 || l[0].SpanContext.SpanID().String() != creatorSpan || s.Parent().SpanID() != request.SpanContext().SpanID() {
			t.Errorf("links %v, parent %v", l, s.Parent())
		}
		if sc := asynqtrace.SpanContextFromTaskInfo(info, e.options()...); sc.SpanID() != s.SpanContext().SpanID() {
			t.Errorf("the task carries %v", sc)
		}
	})
}

// global is the provider behind OpenTelemetry's global one, which can be set only once in a
// process, even if the test runs more than once.
var global = sync.OnceValues(func() (*tracetest.SpanRecorder, *sdktrace.TracerProvider) {
	r := tracetest.NewSpanRecorder()
	return r, sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(r))
})

func TestDefaultsAreTheGlobals(t *testing.T) {
	e := newEnv(t, startRedis(t))
	e.SpanRecorder, e.provider = global()
	tp, p := otel.GetTracerProvider(), otel.GetTextMapPropagator()
	t.Cleanup(func() { otel.SetTracerProvider(tp); otel.SetTextMapPropagator(p) })
	client := asynqtrace.NewClient(asynq.NewClient(e.redis), nil,
		asynqtrace.WithTracerProvider(nil), asynqtrace.WithPropagators(nil))
	defer func() { _ = client.Close() }()

	// As in programs that set up the SDK after wiring their parts.
	otel.SetTracerProvider(e.provider)
	otel.SetTextMapPropagator(propagator)
	info, err := client.Enqueue(asynq.NewTask("email:welcome", nil, asynq.Queue(e.queue)))
	if err != nil || info.Headers["traceparent"] == "" {
		t.Errorf("enqueued %+v, %v", info, err)
	}
	e.wait(t, "enqueue "+e.queue, 1)
}
