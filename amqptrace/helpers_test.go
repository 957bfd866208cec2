package amqptrace_test

import (
	"context"
	"maps"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/propagation"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
	"go.uber.org/goleak"

	"github.com/mqtrace/mqtrace/amqptrace"
	"github.com/mqtrace/mqtrace/carrier"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(patient{m}) }

// patient gives goroutines time to end after the tests: if a connection is lost again while
// amqp091-go recovers it, amqp091-go waits for 5 s for a listener of its own.
type patient struct{ *testing.M }

func (p patient) Run() int {
	code := p.M.Run()
	for began := time.Now(); goleak.Find() != nil && time.Since(began) < 10*time.Second; {
	}
	return code
}

var propagator = propagation.NewCompositeTextMapPropagator(propagation.TraceContext{}, propagation.Baggage{})

// noContext is a nil context: the caller's mistake, which the host tolerates and on which
// we must not panic.
var noContext context.Context

// A recorder keeps the spans of one test.
type recorder struct {
	*tracetest.SpanRecorder

	provider *sdktrace.TracerProvider
}

func newRecorder(t testing.TB, opts ...sdktrace.TracerProviderOption) recorder {
	t.Helper()
	r := recorder{SpanRecorder: tracetest.NewSpanRecorder()}
	r.provider = sdktrace.NewTracerProvider(append(opts, sdktrace.WithSpanProcessor(r.SpanRecorder))...)
	return r
}

func (r recorder) options(more ...amqptrace.Option) []amqptrace.Option {
	return append([]amqptrace.Option{
		amqptrace.WithTracerProvider(r.provider), amqptrace.WithPropagators(propagator),
	}, more...)
}

// start starts a span that stands for the caller's, such as that of an HTTP request.
func (r recorder) start(ctx context.Context, name string) (context.Context, trace.Span) {
	return r.provider.Tracer("test").Start(ctx, name)
}

// only returns the single span that has ended and checks that none is left open.
func (r recorder) only(t testing.TB) sdktrace.ReadOnlySpan {
	t.Helper()
	ended := r.Ended()
	if len(ended) != 1 || len(r.Started()) != 1 {
		t.Fatalf("%d spans started and %d ended, want one", len(r.Started()), len(ended))
	}
	return ended[0]
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

// wantLinks checks the links' spans, in order.
func wantLinks(t testing.TB, span sdktrace.ReadOnlySpan, want ...trace.SpanContext) {
	t.Helper()
	links := span.Links()
	if len(links) != len(want) {
		t.Errorf("%q has %d links, want %d", span.Name(), len(links), len(want))
		return
	}
	for i, l := range links {
		if l.SpanContext.SpanID() != want[i].SpanID() || l.SpanContext.TraceID() != want[i].TraceID() {
			t.Errorf("%q: link %d is to %s, want %s", span.Name(), i, l.SpanContext.SpanID(), want[i].SpanID())
		}
	}
}

func wantParent(t testing.TB, span sdktrace.ReadOnlySpan, want trace.SpanContext) {
	t.Helper()
	if got := span.Parent(); got.SpanID() != want.SpanID() {
		t.Errorf("the parent of %q is %s, want %s", span.Name(), got.SpanID(), want.SpanID())
	}
	if want.IsValid() && span.SpanContext().TraceID() != want.TraceID() {
		t.Errorf("%q is in trace %s, want %s", span.Name(), span.SpanContext().TraceID(), want.TraceID())
	}
}

// message returns headers that carry a creation context, and that context.
func message(t testing.TB) (amqp.Table, trace.SpanContext) {
	t.Helper()
	sc := trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: trace.TraceID{1, 15: 1}, SpanID: trace.SpanID{2, 7: 2}, TraceFlags: trace.FlagsSampled, Remote: true,
	})
	ctx := trace.ContextWithSpanContext(context.Background(), sc)
	return amqp.Table(carrier.Table(nil).Inject(ctx, propagator)), sc
}

// publication is what a channel was given to publish.
type publication struct {
	ctx                  context.Context
	exchange, key        string
	mandatory, immediate bool
	msg                  amqp.Publishing
}

// channel replaces the host in tests that need what no broker does.
type channel struct {
	mu        sync.Mutex
	published []publication
	err       error
	panics    any

	confirmation *amqp.DeferredConfirmation
}

func (c *channel) PublishWithDeferredConfirmWithContext(
	ctx context.Context, exchange, key string, mandatory, immediate bool, msg amqp.Publishing,
) (*amqp.DeferredConfirmation, error) {
	if c.panics != nil {
		panic(c.panics)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.published = append(c.published, publication{ctx, exchange, key, mandatory, immediate, msg})
	return c.confirmation, c.err
}

// acknowledger records what reached the host.
type acknowledger struct {
	mu    sync.Mutex
	calls []settled
	err   error
}

type settled struct {
	method            string
	tag               uint64
	multiple, requeue bool
}

func (a *acknowledger) add(s settled) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.calls = append(a.calls, s)
	return a.err
}

func (a *acknowledger) Ack(tag uint64, multiple bool) error {
	return a.add(settled{"ack", tag, multiple, false})
}

func (a *acknowledger) Nack(tag uint64, multiple, requeue bool) error {
	return a.add(settled{"nack", tag, multiple, requeue})
}

func (a *acknowledger) Reject(tag uint64, requeue bool) error {
	return a.add(settled{"reject", tag, false, requeue})
}

// startSampler samples everything and records what it could decide on.
type startSampler struct {
	seen *[]sdktrace.SamplingParameters
}

func (s startSampler) ShouldSample(p sdktrace.SamplingParameters) sdktrace.SamplingResult {
	*s.seen = append(*s.seen, p)
	return sdktrace.SamplingResult{Decision: sdktrace.RecordAndSample}
}

func (startSampler) Description() string { return "test" }

func seenAttributes(p sdktrace.SamplingParameters) map[attribute.Key]bool {
	m := make(map[attribute.Key]bool)
	for _, kv := range p.Attributes {
		m[kv.Key] = true
	}
	return m
}

func goroutines() int {
	gc()
	return runtime.NumGoroutine()
}

// gc collects the garbage and gives cleanups the time to run.
func gc() {
	runtime.GC()
	time.Sleep(5 * time.Millisecond)
}

// collect collects the garbage until that has had an effect.
func collect(t testing.TB, done func() bool) {
	t.Helper()
	for began := time.Now(); !done(); gc() {
		if time.Since(began) > patience {
			t.Fatal("the garbage collector has no effect")
		}
	}
}
