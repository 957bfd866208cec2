package asynqtrace_test

import (
	"context"
	"maps"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"go.opentelemetry.io/otel/trace"

	"github.com/mqtrace/mqtrace/asynqtrace"
)

// stale has the headers of a task that is enqueued again.
var stale = map[string]string{
	"Traceparent": creator, "tracestate": "a=1", "baggage": "old=1", "mqtrace-sent-at": "1", "mqtrace-new-trace": "1", "tenant": "t1",
}

// What the context of one enqueue turns off is off for that task only. Stale headers are
// removed in every case.
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

// A producer's request for a new trace travels with that task only.
func TestNewTraceAsked(t *testing.T) {
	t.Parallel()
	onRedis(t, func(t *testing.T, e *env) {
		s := newScene(t, e)
		client := e.client(t)
		asked, err := client.EnqueueContext(asynqtrace.AskForNewTrace(s.ctx), asynq.NewTask("email:welcome", nil, asynq.Queue(e.queue)))
		s.ok(err)
		again, err := client.EnqueueContext(s.ctx, asynq.NewTaskWithHeaders("email:welcome", nil, asked.Headers, asynq.Queue(e.queue)))
		s.ok(err)
		injected := asynqtrace.Inject(asynqtrace.AskForNewTrace(s.ctx), asynq.NewTask("email:welcome", nil), s.opts()...)
		for name, tt := range map[string]struct {
			headers  map[string]string
			relation asynqtrace.Relation
			root     bool
		}{
			"honoured":             {asked.Headers, asynqtrace.ContinueUnlessAsked, true},
			"honoured if injected": {injected.Headers(), asynqtrace.ContinueUnlessAsked, true},
			"not asked":            {again.Headers, asynqtrace.ContinueUnlessAsked, false},
			"by default":           {asked.Headers, nil, false},
			"another value":        {map[string]string{"traceparent": creator, "mqtrace-new-trace": "0"}, asynqtrace.ContinueUnlessAsked, false},
		} {
			e.Reset()
			e.handle(t, tt.headers, asynqtrace.WithRelation(tt.relation))
			if got := e.wait(t, "process", 1)[0]; got.Parent().IsValid() == tt.root || len(got.Links()) != 1 {
				t.Errorf("%s: parent %v, links %v", name, got.Parent(), got.Links())
			}
		}
	})
}

// oneSecondLess allows for the second that may begin between our looking at the clock, for
// ProcessIn, and asynq's.
func oneSecondLess(got, want any) bool {
	text, _ := got.(string)
	wanted, _ := want.(string)
	at, err := time.Parse(time.RFC3339, text)
	return err == nil && at.Add(time.Second).Format(time.RFC3339) == wanted
}

// Tasks that are enqueued with a delay, and only those, are stamped without an option, and
// their spans say when they are due.
func TestDelayedTasksAreStamped(t *testing.T) {
	t.Parallel()
	onRedis(t, func(t *testing.T, e *env) {
		client := e.client(t)
		in, at := asynq.ProcessIn(time.Hour), asynq.ProcessAt(time.Now().Add(time.Hour))
		now, before := asynq.ProcessIn(0), asynq.ProcessAt(time.Now().Add(-time.Hour))
		for name, tt := range map[string]struct {
			of, with []asynq.Option
			stamped  bool
		}{
			"no delay":            {nil, nil, false},
			"in, of the task":     {[]asynq.Option{in}, nil, true},
			"in, of the call":     {nil, []asynq.Option{in}, true},
			"at, of the task":     {[]asynq.Option{at}, nil, true},
			"at, of the call":     {[]asynq.Option{now}, []asynq.Option{at}, true},
			"now, of the call":    {[]asynq.Option{at}, []asynq.Option{now}, false},
			"past, of the call":   {[]asynq.Option{in}, []asynq.Option{before}, false},
			"past, of the task":   {[]asynq.Option{before}, nil, false},
			"the last one counts": {[]asynq.Option{now, in}, nil, true},
		} {
			e.Reset()
			task := asynq.NewTask("email:welcome", nil, append(tt.of, asynq.Queue(e.queue))...)
			info, err := client.EnqueueContext(context.Background(), task, tt.with...)
			if err != nil {
				t.Fatal(err)
			}
			if scheduled := info.State == asynq.TaskStateScheduled; scheduled != tt.stamped || (info.Headers["mqtrace-sent-at"] != "") != tt.stamped {
				t.Errorf("%s: %v with headers %v", name, info.State, info.Headers)
			}
			var due any
			if tt.stamped {
				due = info.NextProcessAt.UTC().Format(time.RFC3339)
			}
			if got := attributes(e.wait(t, "enqueue "+e.queue, 1)[0])["mqtrace.due_time"]; got != due && !oneSecondLess(got, due) {
				t.Errorf("%s: due at %v, want %v", name, got, due)
			}
			// Its age is known, and that of others is not.
			e.handle(t, info.Headers, asynqtrace.WithRelation(asynqtrace.ContinueWithin(0)))
			if got := e.wait(t, "process", 1)[0]; got.Parent().IsValid() == tt.stamped {
				t.Errorf("%s: parent %v", name, got.Parent())
			}
			if tt.with != nil {
				continue
			}
			if h := asynqtrace.Inject(context.Background(), task, e.options()...).Headers(); (h["mqtrace-sent-at"] != "") != tt.stamped {
				t.Errorf("%s: injected %v", name, h)
			}
			if h := aggregate(e, nil, []*asynq.Task{task}, task).Headers(); (h["mqtrace-sent-at"] != "") != tt.stamped {
				t.Errorf("%s: the aggregated task has %v", name, h)
			}
		}
		task := asynq.NewTask("email:welcome", nil, asynq.Queue(e.queue), in)
		if info, err := client.EnqueueContext(asynqtrace.WithoutPropagation(context.Background()), task); err != nil || len(info.Headers) != 0 {
			t.Errorf("without propagation: %+v, %v", info, err)
		}
	})
}

// A scheduler's entry with a delay is stamped at each tick.
func TestDelayedTicksAreStamped(t *testing.T) {
	t.Parallel()
	onRedis(t, func(t *testing.T, e *env) {
		s := newScene(t, e)
		s.tick(s.task(asynq.ProcessIn(time.Hour)))
		inspector := asynq.NewInspector(e.redis)
		defer func() { _ = inspector.Close() }()
		info, err := inspector.GetTaskInfo(e.queue, "t1")
		if err != nil || info.Headers["mqtrace-sent-at"] == "" {
			t.Errorf("Redis has %+v, %v", info, err)
		}
	})
}
