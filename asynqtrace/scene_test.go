package asynqtrace_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"
	"go.opentelemetry.io/otel/codes"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/mqtrace/mqtrace/asynqtrace"
)

// A scene is a queue Q in a Redis, with its telemetry, and the caller's span.
type scene struct {
	*env
	*testing.T

	metrics *sdkmetric.ManualReader
	meters  *sdkmetric.MeterProvider
	ctx     context.Context // has the caller's span
	caller  trace.Span
}

func newScene(t *testing.T, e *env) *scene {
	t.Helper()
	s := &scene{env: e, T: t, metrics: sdkmetric.NewManualReader()}
	s.meters = sdkmetric.NewMeterProvider(sdkmetric.WithReader(s.metrics))
	s.ctx, s.caller = e.provider.Tracer("test").Start(context.Background(), "caller")
	s.caller.End()
	return s
}

func (s *scene) opts(more ...asynqtrace.Option) []asynqtrace.Option {
	return append(append(s.options(), asynqtrace.WithMeterProvider(s.meters)), more...)
}

// task returns a task "email:welcome" for Q.
func (s *scene) task(opts ...asynq.Option) *asynq.Task {
	return asynq.NewTask("email:welcome", nil, append([]asynq.Option{asynq.Queue(s.queue), asynq.TaskID("t1"), asynq.MaxRetry(1)}, opts...)...)
}

// enqueue enqueues with asynqtrace's client and the caller's context.
func (s *scene) enqueue(task *asynq.Task, more ...asynqtrace.Option) error {
	client := asynqtrace.NewClient(asynq.NewClient(s.redis), s.opts(more...)...)
	defer func() { _ = client.Close() }()
	_, err := client.EnqueueContext(s.ctx, task)
	return err
}

// put enqueues a task that carries the caller's context, without asynqtrace.
func (s *scene) put(task *asynq.Task) {
	s.Helper()
	client := asynq.NewClient(s.redis)
	defer func() { _ = client.Close() }()
	if _, err := client.Enqueue(asynqtrace.Inject(s.ctx, task, s.opts()...)); err != nil {
		s.Fatal(err)
	}
}

// work runs a server, with asynqtrace around everything, until it has produced n spans.
func (s *scene) work(n int, cfg asynq.Config, handle asynq.HandlerFunc, more ...asynqtrace.Option) {
	s.Helper()
	opts := s.opts(more...)
	cfg.ShutdownTimeout = time.Second
	stop := s.serveWith(s.T, asynqtrace.Config(s.queues(cfg), opts...), handle, opts...)
	s.until(n)
	stop()
}

// queues limits the server to Q.
func (s *scene) queues(cfg asynq.Config) asynq.Config {
	cfg.Queues = map[string]int{s.queue: 1}
	return cfg
}

// until waits until n spans of asynqtrace have ended.
func (s *scene) until(n int) {
	s.Helper()
	for began := time.Now(); time.Since(began) < patience; time.Sleep(5 * time.Millisecond) {
		if len(s.ours()) >= n {
			return
		}
	}
	s.Fatalf("%d spans, want %d", len(s.ours()), n)
}

// tick makes the scheduler enqueue a task once: the entry is removed before the next
// second.
func (s *scene) tick(task *asynq.Task, more ...asynqtrace.Option) {
	s.Helper()
	var sch *asynq.Scheduler
	entry := make(chan string, 1)
	var once sync.Once // cron may start a second tick if the first is slow
	sch = s.schedule(&asynq.SchedulerOpts{PreEnqueueFunc: func(*asynq.Task, []asynq.Option) {
		once.Do(func() {
			if err := sch.Unregister(<-entry); err != nil {
				s.Error(err)
			}
		})
	}}, more...)
	id, err := sch.Register("@every 1s", task)
	s.ok(err)
	entry <- id
	close(entry)
	s.until(1)
	sch.Shutdown()
	// The scheduler removes the history only of entries that it still has.
	client := s.redis.MakeRedisClient().(redis.UniversalClient)
	defer client.Close()
	s.ok(client.Del(context.Background(), "asynq:scheduler_history:"+id).Err())
}

func (s *scene) ours() []sdktrace.ReadOnlySpan {
	return slices.DeleteFunc(s.Ended(), func(sp sdktrace.ReadOnlySpan) bool {
		return sp.InstrumentationScope().Name != asynqtrace.ScopeName
	})
}

func (s *scene) ok(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

func (s *scene) is(err, target error) {
	s.Helper()
	if !errors.Is(err, target) {
		s.Errorf("error %v, want %v", err, target)
	}
}

// span is an expected span. In its strings Q stands for the queue.
type span struct {
	name, kind string
	parent     string   // "caller", "none", the name of the last earlier span, or name#1, #2
	links      []string // likewise
	attributes string   // except for those on every span of the operation
	failed     bool
}

func (s *scene) check(want []span) {
	s.Helper()
	got := s.ours()
	if len(got) != len(want) || len(s.Started()) != len(s.Ended()) {
		s.Fatalf("%d spans, want %d; %d started and %d ended", len(got), len(want), len(s.Started()), len(s.Ended()))
	}
	known := map[string]trace.SpanContext{"caller": s.caller.SpanContext(), "none": {}}
	seen := make(map[string]int)
	for i, w := range want {
		s.checkSpan(got[i], w, known)
		name := s.named(got[i].Name())
		seen[name]++
		known[name] = got[i].SpanContext()
		known[fmt.Sprintf("%s#%d", name, seen[name])] = got[i].SpanContext()
	}
}

// named replaces the names of the scene with those of the table.
func (s *scene) named(text string) string { return strings.ReplaceAll(text, s.queue, "Q") }

func (s *scene) checkSpan(got sdktrace.ReadOnlySpan, want span, known map[string]trace.SpanContext) {
	s.Helper()
	if name := s.named(got.Name()); name != want.name || got.SpanKind().String() != want.kind {
		s.Errorf("span %q of kind %v, want %q, %s", name, got.SpanKind(), want.name, want.kind)
	}
	parent := known[want.parent]
	if got.Parent().SpanID() != parent.SpanID() {
		s.Errorf("the parent of %q is %v, want %s", want.name, got.Parent(), want.parent)
	}
	for name, sc := range known {
		if same := sc.TraceID() == got.SpanContext().TraceID(); want.parent == "none" && same || name == want.parent && sc.IsValid() && !same {
			s.Errorf("%q and %s in one trace: %v", want.name, name, same)
		}
	}
	if len(got.Links()) != len(want.links) {
		s.Errorf("the links of %q are %v, want %v", want.name, got.Links(), want.links)
	} else {
		for i, l := range want.links {
			if got.Links()[i].SpanContext.SpanID() != known[l].SpanID() {
				s.Errorf("%q: link %d is to %v, want %s", want.name, i, got.Links()[i].SpanContext, l)
			}
		}
	}
	if failed := got.Status().Code == codes.Error; failed != want.failed || got.Status().Code == codes.Ok {
		s.Errorf("%q: status %v", want.name, got.Status())
	}
	s.checkAttributes(got, want)
}

func (s *scene) checkAttributes(got sdktrace.ReadOnlySpan, want span) {
	s.Helper()
	operation, _, _ := strings.Cut(want.name, " ")
	kind := "send"
	if operation == "process" {
		kind = "process"
	}
	wanted := append(strings.Fields(want.attributes), "messaging.system=asynq",
		"messaging.operation.name="+operation, "messaging.operation.type="+kind)
	var have []string
	for _, kv := range got.Attributes() {
		have = append(have, fmt.Sprintf("%s=%s", kv.Key, s.named(fmt.Sprint(kv.Value.AsInterface()))))
	}
	slices.Sort(wanted)
	slices.Sort(have)
	if !slices.Equal(have, wanted) {
		s.Errorf("%q has\n%s\nwant\n%s", want.name, strings.Join(have, "\n"), strings.Join(wanted, "\n"))
	}
}
