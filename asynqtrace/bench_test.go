package asynqtrace_test

import (
	"context"
	"fmt"
	"maps"
	"os"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/hibiken/asynq"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/propagation"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/mqtrace/mqtrace/asynqtrace"
)

// The floor is what a careful engineer would write by hand for the same span in one
// program: the same attributes built for each attempt, the same extract, link and
// end. `go test -bench . ./asynqtrace` prints it beside the package; the ratio of the
// two is the package's own cost.
type floor struct {
	tracer trace.Tracer
}

func (f floor) process(ctx context.Context, task *asynq.Task, next asynq.Handler) error {
	taskID, _ := asynq.GetTaskID(ctx)
	queue, _ := asynq.GetQueueName(ctx)
	retried, _ := asynq.GetRetryCount(ctx)
	maxRetry, _ := asynq.GetMaxRetry(ctx)
	ctx = propagator.Extract(ctx, propagation.MapCarrier(task.Headers()))
	attrs := []attribute.KeyValue{
		semconv.MessagingSystemKey.String("asynq"),
		semconv.MessagingOperationName("process"),
		semconv.MessagingOperationTypeProcess,
		semconv.MessagingDestinationName(queue),
		semconv.MessagingMessageID(taskID),
		attribute.String("asynq.task.type", task.Type()),
		attribute.Int("asynq.task.retry_count", retried),
		attribute.Int("asynq.task.max_retry", maxRetry),
	}
	ctx, span := f.tracer.Start(ctx, "process "+queue,
		trace.WithSpanKind(trace.SpanKindConsumer), trace.WithAttributes(attrs...),
		trace.WithLinks(trace.Link{SpanContext: trace.SpanContextFromContext(ctx)}))
	defer span.End()
	err := next.ProcessTask(ctx, task)
	span.SetAttributes(attribute.String("asynq.task.outcome", "done"))
	return err
}

// dropping is a processor that makes the SDK record spans and costs nothing itself.
type dropping struct{}

func (dropping) OnStart(context.Context, sdktrace.ReadWriteSpan) {}
func (dropping) OnEnd(sdktrace.ReadOnlySpan)                     {}
func (dropping) Shutdown(context.Context) error                  { return nil }
func (dropping) ForceFlush(context.Context) error                { return nil }

var benchProviders = []struct {
	name     string
	provider trace.TracerProvider
}{
	{"noop", noop.NewTracerProvider()},
	{"unsampled", sdktrace.NewTracerProvider(sdktrace.WithSampler(sdktrace.NeverSample()), sdktrace.WithSpanProcessor(dropping{}))},
	{"sampled", sdktrace.NewTracerProvider(sdktrace.WithSampler(sdktrace.AlwaysSample()), sdktrace.WithSpanProcessor(dropping{}))},
}

// taskContext returns a context as asynq's own server makes it, which nothing but a
// server can.
func taskContext(b *testing.B) (context.Context, *asynq.Task) {
	b.Helper()
	m := miniredis.RunT(b)
	redis := asynq.RedisClientOpt{Addr: m.Addr()}
	client := asynqtrace.NewClient(asynq.NewClient(redis),
		asynqtrace.WithTracerProvider(benchProviders[2].provider), asynqtrace.WithPropagators(propagator))
	defer func() { _ = client.Close() }()
	if _, err := client.Enqueue(asynq.NewTask("email:welcome", []byte("payload"))); err != nil {
		b.Fatal(err)
	}
	type call struct {
		ctx  context.Context
		task *asynq.Task
	}
	got := make(chan call, 1)
	srv := asynq.NewServer(redis, asynq.Config{LogLevel: asynq.FatalLevel})
	if err := srv.Start(asynq.HandlerFunc(func(ctx context.Context, task *asynq.Task) error {
		got <- call{context.WithoutCancel(ctx), task}
		return nil
	})); err != nil {
		b.Fatal(err)
	}
	c := <-got
	srv.Shutdown()
	return c.ctx, c.task
}

func BenchmarkProcess(b *testing.B) {
	ctx, task := taskContext(b)
	next := asynq.HandlerFunc(func(context.Context, *asynq.Task) error { return nil })
	for _, p := range benchProviders {
		b.Run(p.name+"/floor", func(b *testing.B) {
			f := floor{p.provider.Tracer("floor")}
			b.ReportAllocs()
			for b.Loop() {
				_ = f.process(ctx, task, next)
			}
		})
		b.Run(p.name+"/asynqtrace", func(b *testing.B) {
			handler := asynqtrace.Middleware(
				asynqtrace.WithTracerProvider(p.provider), asynqtrace.WithPropagators(propagator))(next)
			b.ReportAllocs()
			for b.Loop() {
				_ = handler.ProcessTask(ctx, task)
			}
		})
	}
}

// BenchmarkEnqueue measures a whole enqueue, Redis included, because asynq offers no
// seam behind its client. The floor builds the task with its headers by hand.
func BenchmarkEnqueue(b *testing.B) {
	m := miniredis.RunT(b)
	host := asynq.NewClient(asynq.RedisClientOpt{Addr: m.Addr()})
	defer func() { _ = host.Close() }()
	headers := map[string]string{"source": "checkout"}
	for _, p := range benchProviders {
		ctx, span := p.provider.Tracer("bench").Start(context.Background(), "POST /orders")
		b.Run(p.name+"/floor", func(b *testing.B) {
			tracer := p.provider.Tracer("floor")
			b.ReportAllocs()
			for b.Loop() {
				ctx, span := tracer.Start(ctx, "enqueue default", trace.WithSpanKind(trace.SpanKindProducer),
					trace.WithAttributes(
						semconv.MessagingSystemKey.String("asynq"),
						semconv.MessagingOperationName("enqueue"),
						semconv.MessagingOperationTypeSend,
						semconv.MessagingDestinationName("default"),
						attribute.String("asynq.task.type", "email:welcome"),
					))
				h := maps.Clone(headers)
				propagator.Inject(ctx, propagation.MapCarrier(h))
				info, err := host.EnqueueContext(ctx, asynq.NewTaskWithHeaders("email:welcome", nil, h))
				if err != nil {
					b.Fatal(err)
				}
				span.SetAttributes(semconv.MessagingMessageID(info.ID))
				span.End()
			}
			m.FlushAll()
		})
		b.Run(p.name+"/asynqtrace", func(b *testing.B) {
			client := asynqtrace.NewClient(host,
				asynqtrace.WithTracerProvider(p.provider), asynqtrace.WithPropagators(propagator))
			task := asynq.NewTaskWithHeaders("email:welcome", nil, headers)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := client.EnqueueContext(ctx, task); err != nil {
					b.Fatal(err)
				}
			}
			m.FlushAll()
		})
		span.End()
	}
}

// benchQueue is a queue for a benchmark beside raw asynq, on a real Redis where there is
// one: an in-process one has lists whose time grows with the square of their length.
func benchQueue(b *testing.B) *env {
	b.Helper()
	addr := os.Getenv("MQTRACE_REDIS_ADDR")
	if addr == "" {
		addr = miniredis.RunT(b).Addr()
	}
	e := &env{redis: asynq.RedisClientOpt{Addr: addr}, queue: fmt.Sprintf("mqtrace-bench-%d-%d", os.Getpid(), sequence.Add(1))}
	b.Cleanup(func() { e.deleteQueue(b) })
	return e
}

// BenchmarkEnqueueRaw has asynq without any instrumentation as its floor.
func BenchmarkEnqueueRaw(b *testing.B) {
	for _, p := range benchProviders {
		e := benchQueue(b)
		host := asynq.NewClient(e.redis)
		defer func() { _ = host.Close() }()
		client := asynqtrace.NewClient(host,
			asynqtrace.WithTracerProvider(p.provider), asynqtrace.WithPropagators(propagator))
		task := asynq.NewTask("email:welcome", []byte("payload"), asynq.Queue(e.queue))
		ctx, span := p.provider.Tracer("bench").Start(context.Background(), "POST /orders")
		for name, enqueue := range map[string]func(context.Context, *asynq.Task, ...asynq.Option) (*asynq.TaskInfo, error){
			"floor": host.EnqueueContext, "asynqtrace": client.EnqueueContext,
		} {
			b.Run(p.name+"/"+name, func(b *testing.B) {
				for b.Loop() {
					if _, err := enqueue(ctx, task); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
		span.End()
	}
}

// BenchmarkDrainRaw measures what a worker gets through. Its floor is a worker without
// any instrumentation, on the same tasks.
func BenchmarkDrainRaw(b *testing.B) {
	for _, p := range benchProviders {
		b.Run(p.name+"/floor", func(b *testing.B) { drain(b, nil) })
		b.Run(p.name+"/asynqtrace", func(b *testing.B) {
			drain(b, []asynqtrace.Option{asynqtrace.WithTracerProvider(p.provider), asynqtrace.WithPropagators(propagator)})
		})
	}
}

// drain processes b.N tasks that carry a trace.
func drain(b *testing.B, opts []asynqtrace.Option) {
	b.Helper()
	e := benchQueue(b)
	client := asynqtrace.NewClient(asynq.NewClient(e.redis),
		asynqtrace.WithTracerProvider(benchProviders[2].provider), asynqtrace.WithPropagators(propagator))
	defer func() { _ = client.Close() }()
	task := asynq.NewTask("email:welcome", []byte("payload"), asynq.Queue(e.queue))
	for range b.N {
		if _, err := client.Enqueue(task); err != nil {
			b.Fatal(err)
		}
	}
	cfg := asynq.Config{
		Concurrency: 2, LogLevel: asynq.FatalLevel, TaskCheckInterval: time.Millisecond,
		Queues: map[string]int{e.queue: 1},
	}
	mux := asynq.NewServeMux()
	if opts != nil {
		cfg = asynqtrace.Config(cfg, opts...)
		mux.Use(asynqtrace.Middleware(opts...))
	}
	done := make(chan struct{}, b.N)
	mux.HandleFunc("email:", func(context.Context, *asynq.Task) error { done <- struct{}{}; return nil })
	srv := asynq.NewServer(e.redis, cfg)
	b.ResetTimer()
	if err := srv.Start(mux); err != nil {
		b.Fatal(err)
	}
	for range b.N {
		<-done
	}
	b.StopTimer()
	srv.Shutdown()
}
