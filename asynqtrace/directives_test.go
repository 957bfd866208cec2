package asynqtrace_test

import (
	"context"
	"maps"
	"testing"

	"github.com/hibiken/asynq"
	"go.opentelemetry.io/otel/trace"

	"github.com/mqtrace/mqtrace/asynqtrace"
)

// stale is what a task has that is enqueued again.
var stale = map[string]string{
	"Traceparent": creator, "tracestate": "a=1", "baggage": "old=1", "mqtrace-sent-at": "1", "mqtrace-new-trace": "1", "tenant": "t1",
}

// What the context of one enqueue turns off is off for that task, whose stale headers are
// removed all the same, and on for the next.
func TestOneTaskLeftAlone(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		directives    func(context.Context) context.Context
		spans, points int
		carries       bool
	}{
		"nothing":     {func(ctx context.Context) context.Context { return ctx }, 1, 1, true},
		"tracing":     {asynqtrace.WithoutTracing, 0, 0, true},
		"propagation": {asynqtrace.WithoutPropagation, 1, 1, false},
		"both": {func(ctx context.Context) context.Context {
			return asynqtrace.WithoutPropagation(asynqtrace.WithoutTracing(ctx))
		}, 0, 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onRedis(t, func(t *testing.T, e *env) {
				s := newScene(t, e)
				client := asynqtrace.NewClient(asynq.NewClient(e.redis), s.opts(asynqtrace.WithQueueTime())...)
				defer func() { _ = client.Close() }()
				task := asynq.NewTaskWithHeaders("email:welcome", nil, stale)
				info, err := client.EnqueueContext(tt.directives(s.ctx), task, asynq.Queue(e.queue))
				s.ok(err)
				s.leftAlone(info.Headers, tt.carries, tt.spans)
				if n := len(s.points()); n != 2*tt.points {
					t.Errorf("metric points %v", s.points())
				}
				if task.Headers()["Traceparent"] != creator {
					t.Errorf("the caller's task has %v", task.Headers())
				}
				_, err = client.EnqueueContext(s.ctx, task, asynq.Queue(e.queue))
				s.ok(err)
				if n := len(s.ours()); n != tt.spans+1 {
					t.Errorf("%d spans after another enqueue", n)
				}
			})
		})
	}
}

// leftAlone checks the headers of a task that was enqueued again, and the spans that did it.
func (s *scene) leftAlone(headers map[string]string, carries bool, spans int) {
	s.Helper()
	ours := s.ours()
	if len(ours) != spans {
		s.Fatalf("%d spans, want %d", len(ours), spans)
	}
	if !carries {
		if want := (map[string]string{"tenant": "t1"}); !maps.Equal(headers, want) {
			s.Errorf("the task carries %v, want %v", headers, want)
		}
		if spans == 1 && (ours[0].SpanKind() != trace.SpanKindClient || len(ours[0].Links()) != 1) {
			s.Errorf("a span of kind %v with links %v, whose context no task carries", ours[0].SpanKind(), ours[0].Links())
		}
		return
	}
	want := s.caller.SpanContext().SpanID()
	if spans == 1 {
		want = ours[0].SpanContext().SpanID()
	}
	info := &asynq.TaskInfo{Headers: headers}
	if got := asynqtrace.SpanContextFromTaskInfo(info, s.opts()...); got.SpanID() != want {
		s.Errorf("the task carries %v, want span %v", headers, want)
	}
	if len(headers) != 3 || headers["tenant"] != "t1" || headers["mqtrace-sent-at"] == "1" {
		s.Errorf("the task carries %v", headers)
	}
}

func TestInjectWithoutPropagation(t *testing.T) {
	e := newEnv(t, startRedis(t))
	ctx, _ := e.request(t)
	task := asynq.NewTaskWithHeaders("email:welcome", nil, stale)
	got := asynqtrace.Inject(asynqtrace.WithoutPropagation(ctx), task, asynqtrace.WithPropagators(propagator), asynqtrace.WithQueueTime())
	if want := (map[string]string{"tenant": "t1"}); !maps.Equal(got.Headers(), want) {
		t.Errorf("the task carries %v, want %v", got.Headers(), want)
	}
}
