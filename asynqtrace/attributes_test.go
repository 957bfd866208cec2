package asynqtrace_test

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/mqtrace/mqtrace/asynqtrace"
)

const tenantKey = attribute.Key("tenant")

// tenants is a user's function that returns the value of a task's header, and records the
// tasks it was called with.
type tenants struct {
	mu    sync.Mutex
	asked []asynqtrace.Message
}

func (of *tenants) option() asynqtrace.Option {
	return asynqtrace.WithMessageAttributes(func(m asynqtrace.Message) []attribute.KeyValue {
		of.mu.Lock()
		defer of.mu.Unlock()
		of.asked = append(of.asked, m)
		return []attribute.KeyValue{tenantKey.String(m.Headers["tenant"]), attribute.Int("size", m.PayloadSize)}
	})
}

// ofTenant returns a task of tenant t1 with a payload of three bytes.
func (s *scene) ofTenant(opts ...asynq.Option) *asynq.Task {
	return asynq.NewTaskWithHeaders("email:welcome", []byte("abc"), map[string]string{"tenant": "t1"},
		append([]asynq.Option{asynq.Queue(s.queue), asynq.TaskID("t1"), asynq.MaxRetry(0)}, opts...)...)
}

func TestMessageAttributes(t *testing.T) {
	t.Parallel()
	const mine = " tenant=t1 size=3"
	expired := asynq.Deadline(time.Now().Add(-time.Minute))
	for name, tt := range map[string]struct {
		run   func(s *scene, of asynqtrace.Option)
		spans []span
	}{
		"enqueue": {
			func(s *scene, of asynqtrace.Option) { s.ok(s.enqueue(s.ofTenant(), of)) },
			[]span{enqueueSpan("caller", sent+mine)},
		},
		"tick": {
			func(s *scene, of asynqtrace.Option) { s.tick(s.ofTenant(), of) },
			[]span{enqueueSpan("none", sent+mine)},
		},
		"process": {
			func(s *scene, of asynqtrace.Option) {
				s.put(s.ofTenant())
				s.work(1, asynq.Config{}, returning(nil), of)
			},
			[]span{{
				"process Q", "consumer", "caller", []string{"caller"},
				sent + mine + " asynq.task.max_retry=0 asynq.task.retry_count=0 asynq.task.outcome=done", false,
			}},
		},
		"expired before its handler": {
			func(s *scene, of asynqtrace.Option) {
				s.put(s.ofTenant(expired))
				s.work(1, asynq.Config{}, returning(nil), of)
			},
			[]span{{
				"process Q", "consumer", "caller", []string{"caller"}, sent + mine +
					" asynq.task.max_retry=0 asynq.task.retry_count=0 asynq.task.outcome=deadline error.type=context.DeadlineExceeded", true,
			}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onRedis(t, func(t *testing.T, e *env) {
				s, of := newScene(t, e), new(tenants)
				tt.run(s, of.option())
				s.check(tt.spans)
				for _, m := range of.asked {
					if m.Queue != e.queue || m.Type != "email:welcome" || m.ID != "t1" || m.PayloadSize != 3 || (m.Attempt == 1) != strings.Contains(tt.spans[0].name, "process") {
						t.Errorf("the function was asked about %+v", m)
					}
				}
			})
		})
	}
}

// The tasks of a group may belong to many tenants, which the links show.
func TestMessageAttributesOfGroups(t *testing.T) {
	t.Parallel()
	e := newEnv(t, startRedis(t))
	of := new(tenants)
	task := asynq.NewTaskWithHeaders("email:welcome", []byte("abc"), map[string]string{"traceparent": creator, "tenant": "t1"})
	aggregate(e, map[string]int{"a": 1}, []*asynq.Task{task}, asynq.NewTask("email:digest", nil), of.option())
	s := e.wait(t, "aggregate a", 1)[0]
	got := attribute.NewSet(s.Links()[0].Attributes...)
	want := attribute.NewSet(tenantKey.String("t1"), attribute.Int("size", 3), attribute.String("asynq.task.type", "email:welcome"))
	if got != want {
		t.Errorf("the link has %v", s.Links()[0].Attributes)
	}
	if _, ok := attributes(s)["tenant"]; ok || len(of.asked) != 1 || of.asked[0].Queue != "a" {
		t.Errorf("the span has %v; the function was asked about %+v", attributes(s), of.asked)
	}
}

// ofOneTenant samples the spans of tenant t1.
type ofOneTenant struct{ sdktrace.Sampler }

func (o ofOneTenant) ShouldSample(p sdktrace.SamplingParameters) sdktrace.SamplingResult {
	set := attribute.NewSet(p.Attributes...)
	if v, _ := set.Value(tenantKey); v.AsString() == "t1" {
		return o.Sampler.ShouldSample(p)
	}
	return sdktrace.NeverSample().ShouldSample(p)
}

func TestSamplersSeeMessageAttributes(t *testing.T) {
	t.Parallel()
	e := newEnv(t, startRedis(t))
	provider := sdktrace.NewTracerProvider(
		sdktrace.WithSampler(ofOneTenant{sdktrace.AlwaysSample()}), sdktrace.WithSpanProcessor(e.SpanRecorder))
	opts := []asynqtrace.Option{new(tenants).option(), asynqtrace.WithTracerProvider(provider)}
	client := asynqtrace.NewClient(asynq.NewClient(e.redis), append(e.options(), opts...)...)
	defer func() { _ = client.Close() }()
	for _, tenant := range []string{"t1", "t2"} {
		headers := map[string]string{"tenant": tenant}
		if _, err := client.Enqueue(asynq.NewTaskWithHeaders("email:welcome", nil, headers, asynq.Queue(e.queue))); err != nil {
			t.Error(err)
		}
		e.handle(t, headers, opts...)
	}
	if got := e.Ended(); len(got) != 2 || attributes(got[0])["tenant"] != "t1" || attributes(got[1])["tenant"] != "t1" {
		t.Errorf("%d spans", len(got))
	}
}

// attributePanics counts the panics reported to the error handler in this process.
var attributePanics atomic.Int64

// A panic in the user's function costs the attributes and is reported once.
func TestMessageAttributesPanic(t *testing.T) {
	before := otel.GetErrorHandler()
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) {
		if strings.HasPrefix(err.Error(), "asynqtrace: the function of WithMessageAttributes panicked: no tenant") {
			attributePanics.Add(1)
		}
	}))
	t.Cleanup(func() { otel.SetErrorHandler(before) })
	panics := asynqtrace.WithMessageAttributes(func(asynqtrace.Message) []attribute.KeyValue { panic("no tenant") })
	s := newScene(t, newEnv(t, startRedis(t)))
	s.ok(s.enqueue(s.task(), panics))
	s.work(2, asynq.Config{}, returning(nil), panics)
	s.check([]span{
		enqueueSpan("caller", sent),
		{"process Q", "consumer", "enqueue Q", []string{"enqueue Q"}, processed + "0 asynq.task.outcome=done", false},
	})
	grouped := asynq.NewTaskWithHeaders("email:welcome", nil, map[string]string{"traceparent": creator})
	aggregate(s.env, nil, []*asynq.Task{grouped}, s.task(), panics)
	if links := s.wait(t, "aggregate default", 1)[0].Links(); len(links) != 1 || len(links[0].Attributes) != 1 {
		t.Errorf("links %v", links)
	}
	if n := attributePanics.Load(); n != 1 {
		t.Errorf("reported %d times", n)
	}
}

// The function is not called for a filtered task.
func TestMessageAttributesOfFilteredTasks(t *testing.T) {
	t.Parallel()
	e := newEnv(t, startRedis(t))
	of := new(tenants)
	none := asynqtrace.WithFilter(func(asynqtrace.Message) bool { return false })
	client := asynqtrace.NewClient(asynq.NewClient(e.redis), append(e.options(), none, of.option(), asynqtrace.WithMessageAttributes(nil))...)
	defer func() { _ = client.Close() }()
	if _, err := client.EnqueueContext(context.Background(), asynq.NewTask("email:welcome", nil, asynq.Queue(e.queue))); err != nil {
		t.Error(err)
	}
	e.handle(t, nil, none, of.option())
	if len(of.asked) != 0 {
		t.Errorf("the function was asked about %+v", of.asked)
	}
}

// A filter or a relation that panics decides nothing, and the task is processed. asynq
// recovers a panic only from the handler: one in the error handler or in the aggregator ends
// the program.
func TestOptionsThatPanic(t *testing.T) {
	t.Parallel()
	for name, option := range map[string]asynqtrace.Option{
		"filter":   asynqtrace.WithFilter(func(asynqtrace.Message) bool { panic("no tenant") }),
		"relation": asynqtrace.WithRelation(func(asynqtrace.Message) bool { panic("no tenant") }),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScene(t, newEnv(t, startRedis(t)))
			s.ok(s.enqueue(s.task(asynq.MaxRetry(0)), option))
			s.work(2, asynq.Config{}, returning(errFailed), option)
			s.check([]span{
				enqueueSpan("caller", "messaging.destination.name=Q messaging.message.id=t1 asynq.task.type=email:welcome"),
				{"process Q", "consumer", "enqueue Q", []string{"enqueue Q"}, "messaging.destination.name=Q messaging.message.id=t1 " +
					"asynq.task.type=email:welcome asynq.task.retry_count=0 asynq.task.max_retry=0 asynq.task.outcome=exhausted " +
					"error.type=*errors.errorString", true},
			})
			cfg := asynqtrace.Config(asynq.Config{}, s.opts(option)...)
			cfg.ErrorHandler.HandleError(context.Background(), s.task(), errFailed) // as without a middleware
			aggregate(s.env, nil, []*asynq.Task{s.task()}, s.task(), option)
			s.wait(t, "aggregate default", 1)
		})
	}
}
