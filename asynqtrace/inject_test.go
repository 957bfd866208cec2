package asynqtrace_test

import (
	"errors"
	"reflect"
	"slices"
	"testing"

	"github.com/hibiken/asynq"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/trace"

	"github.com/mqtrace/mqtrace/asynqtrace"
)

func TestInject(t *testing.T) {
	onRedis(t, func(t *testing.T, e *env) {
		ctx, request := e.request(t)
		task := asynq.NewTask("email:welcome", []byte("payload"), asynq.Queue(e.queue), asynq.MaxRetry(7), asynq.TaskID("i"))
		got := asynqtrace.Inject(ctx, task, asynqtrace.WithPropagators(propagator), asynqtrace.WithQueueTime())
		host := asynq.NewClient(e.redis)
		defer func() { _ = host.Close() }()
		if _, err := host.Enqueue(got); err != nil {
			t.Fatal(err)
		}
		inspector := asynq.NewInspector(e.redis)
		defer func() { _ = inspector.Close() }()
		info, err := inspector.GetTaskInfo(e.queue, "i")
		if err != nil || info.MaxRetry != 7 || string(info.Payload) != "payload" || info.Headers["mqtrace-sent-at"] == "" {
			t.Fatalf("Redis has %+v, %v", info, err)
		}
		if sc := asynqtrace.SpanContextFromTaskInfo(info, asynqtrace.WithPropagators(propagator)); !sc.Equal(request.SpanContext().WithRemote(true)) {
			t.Errorf("the task carries %v, want %v", sc, request.SpanContext())
		}
		if task.Headers() != nil || asynqtrace.Inject(ctx, nil) != nil {
			t.Errorf("the caller's task has %v", task.Headers())
		}
		for _, none := range []*asynq.TaskInfo{nil, {}, {Headers: map[string]string{"traceparent": "x"}}} {
			if sc := asynqtrace.SpanContextFromTaskInfo(none, asynqtrace.WithPropagators(propagator)); sc.IsValid() {
				t.Errorf("%v carries %v", none, sc)
			}
		}
		defer asynqtrace.BreakLayout(errors.New("unknown layout"))()
		if asynqtrace.Inject(ctx, task) != task {
			t.Error("a task of unknown layout was not left alone")
		}
	})
}

// A release of asynq with a different task layout must be noticed here first, and must cost
// users the trace and nothing else.
func TestTaskLayout(t *testing.T) {
	if err := asynqtrace.LayoutError(reflect.TypeFor[asynq.Task]()); err != nil {
		t.Fatal("asynq.Task has changed: ", err)
	}
	for _, other := range []reflect.Type{
		reflect.TypeFor[struct{}](),
		reflect.TypeFor[struct{ headers map[string][]string }](),
		reflect.TypeFor[struct {
			headers map[string]string
			opts    []int
		}](),
	} {
		if asynqtrace.LayoutError(other) == nil {
			t.Errorf("%v passes for a task", other)
		}
	}
}

// The error handler is the user's and may do anything, such as enqueue a task.
func TestUnknownTaskLayoutIsReportedOnce(t *testing.T) {
	unknown := errors.New("unknown layout")
	layout := asynqtrace.ReportOnce(unknown)
	var handled []error
	before := otel.GetErrorHandler()
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) {
		handled = append(handled, err, layout())
	}))
	t.Cleanup(func() { otel.SetErrorHandler(before) })
	if err := layout(); err != unknown || !slices.Equal(handled, []error{unknown, unknown}) {
		t.Errorf("error %v, handled %v", err, handled)
	}
	if _ = layout(); len(handled) != 2 {
		t.Errorf("handled %v", handled)
	}
}

func TestUnknownTaskLayout(t *testing.T) {
	onRedis(t, func(t *testing.T, e *env) {
		defer asynqtrace.BreakLayout(errors.New("unknown layout"))()
		info, err := e.client(t).Enqueue(asynq.NewTask("email:welcome", nil, asynq.Queue(e.queue), asynq.MaxRetry(2)))
		if err != nil || info.Queue != e.queue || info.MaxRetry != 2 || len(info.Headers) != 0 {
			t.Errorf("enqueued %+v, %v", info, err)
		}
		span := e.wait(t, "enqueue", 1)[0] // the task's queue is unknown until asynq has it
		if span.SpanKind() != trace.SpanKindClient {
			t.Errorf("kind %v of a span whose context the task does not carry", span.SpanKind())
		}
		if got := attributes(span)["messaging.destination.name"]; got != e.queue {
			t.Errorf("destination %v", got)
		}
	})
}
