package attributes_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/hibiken/asynq"
	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/propagation"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/mqtrace/mqtrace/asynqtrace"
)

const taskQueue = "emails"

// An asynqScene is a Redis and the telemetry recorded. Ticks have tracers of their own,
// since their spans are enqueues too.
type asynqScene struct {
	*testing.T
	telemetry

	ticks     telemetry
	redis     asynq.RedisClientOpt
	client    *asynqtrace.Client
	inspector *asynq.Inspector
	carried   set
	mu        sync.Mutex
}

func TestAsynq(t *testing.T) {
	t.Parallel()
	p := readPage(t)
	s := newAsynqScene(t)
	s.enqueue()
	s.aggregate()
	s.tick()
	s.process()
	e := newEmitted()
	e.addSpans(s.telemetry, asynqtrace.ScopeName, func(sp sdktrace.ReadOnlySpan) string {
		return valueOf(sp, "messaging.operation.name")
	})
	e.addSpans(s.ticks, asynqtrace.ScopeName, func(sdktrace.ReadOnlySpan) string { return "tick" })
	e.addMetrics(t, s.reader)
	e.headers = s.carried
	e.check(t, p, "asynqtrace")
}

func newAsynqScene(t *testing.T) *asynqScene {
	t.Helper()
	s := &asynqScene{T: t, telemetry: newTelemetry(), ticks: newTelemetry(), carried: make(set)}
	s.redis = asynq.RedisClientOpt{Addr: miniredis.RunT(t).Addr(), DialTimeout: patience, ReadTimeout: patience, WriteTimeout: patience}
	s.client = asynqtrace.NewClient(asynq.NewClient(s.redis), s.opts()...)
	t.Cleanup(func() { s.client.Close() })
	s.inspector = asynq.NewInspector(s.redis)
	t.Cleanup(func() { s.inspector.Close() })
	registration, err := asynqtrace.ObserveQueues(s.inspector, s.opts()...)
	s.ok(err)
	t.Cleanup(func() { registration.Unregister() })
	return s
}

func (s *asynqScene) ok(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

func (s *asynqScene) is(err, target error) {
	s.Helper()
	if !errors.Is(err, target) {
		s.Errorf("error %v, want %v", err, target)
	}
}

// opts returns all options that add to what is emitted.
func (s *asynqScene) opts() []asynqtrace.Option {
	return []asynqtrace.Option{
		asynqtrace.WithTracerProvider(s.traces), asynqtrace.WithMeterProvider(s.meters), asynqtrace.WithPropagators(propagator),
		asynqtrace.WithServer("redis.internal", 6379), asynqtrace.WithQueueTime(),
	}
}

func task(typ string, opts ...asynq.Option) *asynq.Task {
	return asynq.NewTask(typ, nil, append([]asynq.Option{asynq.Queue(taskQueue)}, opts...)...)
}

// withBaggage returns a context with baggage and a span that continues another system's
// trace.
func withBaggage(t *testing.T, traces *sdktrace.TracerProvider) context.Context {
	t.Helper()
	ctx := propagator.Extract(ctx, propagation.MapCarrier{
		"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "tracestate": "vendor=1",
	})
	member, err := baggage.NewMember("tenant.id", "t1")
	if err != nil {
		t.Fatal(err)
	}
	bag, err := baggage.New(member)
	if err != nil {
		t.Fatal(err)
	}
	ctx, span := traces.Tracer("test").Start(baggage.ContextWithBaggage(ctx, bag), "caller")
	span.End()
	return ctx
}

// enqueue produces every outcome of an enqueue.
func (s *asynqScene) enqueue() {
	for _, id := range []string{"1", "1"} {
		_, err := s.client.Enqueue(task("unique", asynq.TaskID(id)), asynq.ProcessIn(time.Hour))
		if err != nil {
			s.is(err, asynq.ErrTaskIDConflict)
		}
		_, err = s.client.Enqueue(task("unique", asynq.Unique(time.Hour)), asynq.ProcessIn(time.Hour))
		if err != nil {
			s.is(err, asynq.ErrDuplicateTask)
		}
	}
	_, err := s.client.EnqueueContext(asynqtrace.WithoutPropagation(ctx), task("unique"), asynq.ProcessIn(time.Hour))
	s.ok(err)
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := s.client.EnqueueContext(cancelled, task("unique")); err == nil {
		s.Error("a task was enqueued in a context that has ended")
	}
	if _, err := s.client.Enqueue(task("")); err == nil {
		s.Error("a task without a type was enqueued")
	}
}

// aggregate processes groups with a context, with none and with too many.
func (s *asynqScene) aggregate() {
	aggregated := func(queues map[string]int, tasks []*asynq.Task, to func() *asynq.Task) {
		cfg := asynqtrace.Config(asynq.Config{
			Queues:          queues,
			GroupAggregator: asynq.GroupAggregatorFunc(func(string, []*asynq.Task) *asynq.Task { return to() }),
		}, s.opts()...)
		defer func() { _ = recover() }()
		cfg.GroupAggregator.Aggregate("tenant-7", tasks)
	}
	var tasks []*asynq.Task
	for range 129 {
		ctx, span := s.traces.Tracer("test").Start(ctx, "caller")
		tasks = append(tasks, asynqtrace.Inject(ctx, task("email:item"), s.opts()...))
		span.End()
	}
	digest := func() *asynq.Task { return task("email:digest", asynq.ProcessIn(time.Hour)) }
	aggregated(map[string]int{taskQueue: 1}, append(tasks, task("email:item")), digest)
	aggregated(map[string]int{taskQueue: 1}, tasks[:1], func() *asynq.Task { panic("poison") })
}

// tick produces ticks that overlap, one that is refused and one that fails, through the
// hooks that a scheduler calls.
func (s *asynqScene) tick() {
	hooks := asynqtrace.SchedulerOpts(nil, append(s.opts(), asynqtrace.WithTracerProvider(s.ticks.traces))...)
	client := asynq.NewClient(s.redis)
	defer client.Close()
	opts := []asynq.Option{asynq.Queue(taskQueue), asynq.TaskID("tick"), asynq.ProcessIn(time.Hour)}
	periodic := task("email:digest")
	hooks.PreEnqueueFunc(periodic, opts)
	hooks.PreEnqueueFunc(periodic, opts)
	for range 2 {
		info, err := client.Enqueue(periodic, opts...)
		hooks.PostEnqueueFunc(info, err)
		if err != nil {
			s.is(err, asynq.ErrTaskIDConflict)
			hooks.EnqueueErrorHandler(periodic, opts, err) //nolint:staticcheck // deprecated, and still called
		}
	}
	opts = opts[:1] // the identifier is asynq's
	hooks.PreEnqueueFunc(periodic, opts)
	hooks.PostEnqueueFunc(client.Enqueue(periodic, append(opts, asynq.ProcessIn(time.Hour))...))
	hooks.PreEnqueueFunc(periodic, opts)
	err := errors.New("no connection")
	hooks.PostEnqueueFunc(nil, err)
	hooks.EnqueueErrorHandler(periodic, opts, err) //nolint:staticcheck // deprecated, and still called
}

// process produces every outcome of an attempt.
func (s *asynqScene) process() {
	srv := asynq.NewServer(s.redis, asynqtrace.Config(asynq.Config{
		Queues: map[string]int{taskQueue: 1}, LogLevel: asynq.FatalLevel,
		TaskCheckInterval: 5 * time.Millisecond, DelayedTaskCheckInterval: 50 * time.Millisecond,
		RetryDelayFunc: func(int, error, *asynq.Task) time.Duration { return 0 },
	}, s.opts()...))
	mux := asynq.NewServeMux()
	mux.Use(asynqtrace.Middleware(s.opts()...))
	started := make(chan string, 1)
	for typ, handle := range map[string]asynq.HandlerFunc{
		"done": func(_ context.Context, task *asynq.Task) error {
			s.mu.Lock()
			defer s.mu.Unlock()
			for name := range task.Headers() {
				s.carried[name] = true
			}
			return nil
		},
		"failed":  func(context.Context, *asynq.Task) error { return errors.New("no mail server") },
		"typed":   func(context.Context, *asynq.Task) error { return typed{} },
		"broken":  func(context.Context, *asynq.Task) error { return broken{} },
		"skipped": func(context.Context, *asynq.Task) error { return fmt.Errorf("no address: %w", asynq.SkipRetry) },
		"revoked": func(context.Context, *asynq.Task) error { return asynq.RevokeTask },
		"panic":   func(context.Context, *asynq.Task) error { panic("poison") },
		"cancelled": func(ctx context.Context, task *asynq.Task) error {
			started <- task.ResultWriter().TaskID()
			<-ctx.Done()
			return ctx.Err()
		},
	} {
		mux.Handle(typ, handle)
	}
	s.ok(srv.Start(mux))
	defer srv.Shutdown()
	enqueued := 0
	for typ, opts := range map[string][]asynq.Option{
		"done": nil, "failed": {asynq.MaxRetry(1)}, "typed": {asynq.MaxRetry(0)}, "broken": {asynq.MaxRetry(0)},
		"skipped": nil, "revoked": nil, "panic": {asynq.MaxRetry(0)}, "cancelled": {asynq.MaxRetry(0)},
		"expired": {asynq.MaxRetry(0), asynq.Deadline(time.Now().Add(-time.Minute))},
	} {
		_, err := s.client.EnqueueContext(asynqtrace.AskForNewTrace(withBaggage(s.T, s.traces)), task(typ, opts...))
		s.ok(err)
		enqueued++
	}
	_, err := s.client.Client.Enqueue(task("done")) // without a context
	s.ok(err)
	s.ok(s.inspector.CancelProcessing(<-started))
	s.until(enqueued + 2)
}

// until waits until there were n attempts.
func (s *asynqScene) until(n int) {
	s.Helper()
	processed := 0
	for began := time.Now(); time.Since(began) < patience; time.Sleep(5 * time.Millisecond) {
		processed = 0
		for _, sp := range s.spans.Ended() {
			if valueOf(sp, "messaging.operation.name") == "process" {
				processed++
			}
		}
		if processed >= n {
			return
		}
	}
	s.Fatalf("%d attempts, want %d", processed, n)
}
