package asynqtrace_test

import (
	"context"
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"
	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/propagation"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
	"go.uber.org/goleak"

	"github.com/mqtrace/mqtrace/asynqtrace"
	"github.com/mqtrace/mqtrace/asynqtrace/asynqredis"
)

func TestMain(m *testing.M) {
	redis.SetLogger(silent{}) // older servers do not know all of the client's commands
	// Parallel tests mostly wait for asynq, which polls in whole seconds.
	if err := flag.Set("test.parallel", "8"); err != nil {
		panic(err)
	}
	goleak.VerifyTestMain(m)
}

type silent struct{}

func (silent) Printf(context.Context, string, ...any) {}

var propagator = propagation.NewCompositeTextMapPropagator(propagation.TraceContext{}, propagation.Baggage{})

// onRedis runs a test on an in-process Redis and, if MQTRACE_REDIS_ADDR names one, on a
// real one, which must answer.
func onRedis(t *testing.T, test func(t *testing.T, e *env)) {
	t.Helper()
	t.Run("in-process", func(t *testing.T) { test(t, newEnv(t, miniredis.RunT(t).Addr())) })
	if addr := os.Getenv("MQTRACE_REDIS_ADDR"); addr != "" {
		t.Run("Redis", func(t *testing.T) { test(t, newEnv(t, addr)) })
	}
}

// env is a Redis with a queue for the test, and a recorder of spans.
type env struct {
	*tracetest.SpanRecorder

	redis    asynq.RedisClientOpt
	queue    string
	provider *sdktrace.TracerProvider
}

var sequence atomic.Int64

// patience is how long tests wait for what they expect, to allow for a busy machine.
const patience = time.Minute

func newEnv(t testing.TB, addr string) *env {
	t.Helper()
	opt, err := asynqredis.Parse(addr)
	if err != nil {
		t.Fatal(err)
	}
	// By default, go-redis retries after three seconds: a command may then be executed
	// twice, and a task conflict with itself.
	opt.DialTimeout, opt.ReadTimeout, opt.WriteTimeout = patience, patience, patience
	e := &env{
		SpanRecorder: tracetest.NewSpanRecorder(),
		redis:        opt,
		queue:        fmt.Sprintf("mqtrace-%d-%d", os.Getpid(), sequence.Add(1)),
	}
	e.provider = sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(e.SpanRecorder))
	inspector := asynq.NewInspector(e.redis)
	if _, err := inspector.Queues(); err != nil {
		t.Fatal("Redis does not answer: ", err)
	}
	t.Cleanup(func() {
		_ = inspector.Close()
		e.deleteQueue(t)
	})
	return e
}

// deleteQueue removes what asynq's own DeleteQueue leaves too: statistics and locks.
func (e *env) deleteQueue(t testing.TB) {
	t.Helper()
	if err := asynqredis.DeleteQueue(context.Background(), e.redis, e.queue); err != nil {
		t.Error(err)
	}
}

func (e *env) options() []asynqtrace.Option {
	return []asynqtrace.Option{asynqtrace.WithTracerProvider(e.provider), asynqtrace.WithPropagators(propagator)}
}

func (e *env) client(t testing.TB) *asynqtrace.Client {
	t.Helper()
	c := asynqtrace.NewClient(asynq.NewClient(e.redis), e.options()...)
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// serve runs a server on the queue until the test ends or stop is called.
func (e *env) serve(t testing.TB, cfg asynq.Config, handle asynq.HandlerFunc) (stop func()) {
	t.Helper()
	return e.serveWith(t, cfg, handle)
}

// serveWith is serve with options for the middleware.
func (e *env) serveWith(
	t testing.TB, cfg asynq.Config, handle asynq.HandlerFunc, opts ...asynqtrace.Option,
) (stop func()) {
	t.Helper()
	cfg.Queues = map[string]int{e.queue: 1}
	cfg.LogLevel = asynq.FatalLevel
	cfg.TaskCheckInterval = 10 * time.Millisecond
	cfg.DelayedTaskCheckInterval = 100 * time.Millisecond
	cfg.RetryDelayFunc = func(int, error, *asynq.Task) time.Duration { return 0 }
	srv := asynq.NewServer(e.redis, cfg)
	mux := asynq.NewServeMux()
	mux.Use(asynqtrace.Middleware(append(e.options(), opts...)...))
	mux.Handle("email:", handle)
	if err := srv.Start(mux); err != nil {
		t.Fatal(err)
	}
	var stopped atomic.Bool
	stop = func() {
		if !stopped.Swap(true) {
			srv.Shutdown()
		}
	}
	t.Cleanup(stop)
	return stop
}

// wait waits until n spans of the name have ended and returns them.
func (e *env) wait(t testing.TB, name string, n int) []sdktrace.ReadOnlySpan {
	t.Helper()
	deadline := time.Now().Add(patience)
	for {
		var found []sdktrace.ReadOnlySpan
		for _, s := range e.Ended() {
			if s.Name() == name {
				found = append(found, s)
			}
		}
		if len(found) >= n {
			return found
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d spans %q, want %d", len(found), name, n)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// request starts a span with baggage that stands for an HTTP request.
func (e *env) request(t testing.TB) (context.Context, trace.Span) {
	t.Helper()
	m, err := baggage.NewMember("tenant.id", "t1")
	if err != nil {
		t.Fatal(err)
	}
	bag, err := baggage.New(m)
	if err != nil {
		t.Fatal(err)
	}
	return e.provider.Tracer("test").Start(baggage.ContextWithBaggage(context.Background(), bag), "POST /orders")
}

func attributes(span sdktrace.ReadOnlySpan) map[string]any {
	m := make(map[string]any)
	for _, kv := range span.Attributes() {
		m[string(kv.Key)] = kv.Value.AsInterface()
	}
	return m
}

func wantAttributes(t testing.TB, span sdktrace.ReadOnlySpan, want map[string]any) {
	t.Helper()
	if got := attributes(span); !maps.Equal(got, want) {
		for _, k := range slices.Sorted(maps.Keys(got)) {
			t.Logf("has %s = %v (%[2]T)", k, got[k])
		}
		t.Errorf("the attributes of %q differ, want %v", span.Name(), want)
	}
}

func wantParentAndLink(t testing.TB, span sdktrace.ReadOnlySpan, want trace.SpanContext) {
	t.Helper()
	if span.Parent().SpanID() != want.SpanID() || span.SpanContext().TraceID() != want.TraceID() {
		t.Errorf("the parent of %q is %v, want %v", span.Name(), span.Parent(), want)
	}
	if l := span.Links(); len(l) != 1 || l[0].SpanContext.SpanID() != want.SpanID() {
		t.Errorf("the links of %q are %v, want one to %s", span.Name(), l, want.SpanID())
	}
}
