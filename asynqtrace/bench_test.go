package asynqtrace_test

import (
	"context"
	"fmt"
	"maps"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/hibiken/asynq"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/propagation"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"github.com/mqtrace/mqtrace/asynqtrace"
	"github.com/mqtrace/mqtrace/asynqtrace/asynqredis"
	"github.com/mqtrace/mqtrace/internal/sidebyside"
)

func BenchmarkProcess(b *testing.B) {
	ctx, task := taskContext(b)
	next := asynq.HandlerFunc(func(context.Context, *asynq.Task) error { return nil })
	for _, p := range benchProviders {
		b.Run(p.name, func(b *testing.B) {
			f := floor{p.provider.Tracer("floor")}
			handler := asynqtrace.Middleware(
				asynqtrace.WithTracerProvider(p.provider), asynqtrace.WithPropagators(propagator))(next)
			sidebyside.Run(b, func(n int) {
				for range n {
					_ = f.process(ctx, task, next)
				}
			}, func(n int) {
				for range n {
					_ = handler.ProcessTask(ctx, task)
				}
			})
		})
	}
}

// BenchmarkEnqueue measures a whole enqueue, Redis included, because asynq offers no
// seam behind its client. The floor builds the task with its headers by hand.
func BenchmarkEnqueue(b *testing.B) {
	headers := map[string]string{"source": "checkout"}
	for _, p := range benchProviders {
		b.Run(p.name, func(b *testing.B) {
			s := newBenchStage(b, p.provider)
			tracer := p.provider.Tracer("floor")
			task := asynq.NewTaskWithHeaders("email:welcome", nil, headers, asynq.Queue(s.queue))
			sidebyside.Run(b, func(n int) {
				for range n {
					if err := s.floorEnqueue(tracer, headers); err != nil {
						b.Fatal(err)
					}
				}
			}, s.enqueueing(b, s.client.EnqueueContext, task))
		})
	}
}

// floorEnqueue is an enqueue with its span written by hand.
func (s *benchStage) floorEnqueue(tracer trace.Tracer, headers map[string]string) error {
	ctx, span := tracer.Start(s.ctx, "enqueue "+s.queue, trace.WithSpanKind(trace.SpanKindProducer),
		trace.WithAttributes(
			semconv.MessagingSystemKey.String("asynq"),
			semconv.MessagingOperationName("enqueue"),
			semconv.MessagingOperationTypeSend,
			semconv.MessagingDestinationName(s.queue),
			attribute.String("asynq.task.type", "email:welcome"),
		))
	defer span.End()
	h := make(map[string]string, len(headers)+1)
	maps.Copy(h, headers)
	propagator.Inject(ctx, propagation.MapCarrier(h))
	info, err := s.host.EnqueueContext(ctx, asynq.NewTaskWithHeaders("email:welcome", nil, h, asynq.Queue(s.queue)))
	if err != nil {
		return err
	}
	span.SetAttributes(semconv.MessagingMessageID(info.ID))
	return nil
}

// BenchmarkEnqueueRaw measures what clients of eight goroutines get into Redis, beside
// asynq without any instrumentation, and what of the difference is a task with one
// header more and what a span written by hand.
func BenchmarkEnqueueRaw(b *testing.B) {
	traceparent := map[string]string{"traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}
	for _, p := range benchProviders {
		s := newBenchStage(b, p.provider)
		tracer := p.provider.Tracer("floor")
		queue := asynq.Queue(s.queue)
		task := asynq.NewTask("email:welcome", []byte("payload"), queue)
		withHeader := asynq.NewTaskWithHeaders("email:welcome", []byte("payload"), traceparent, queue)
		raw := s.enqueueing(b, s.host.EnqueueContext, task)
		for name, subject := range map[string]func(n int){
			"header":     s.enqueueing(b, s.host.EnqueueContext, withHeader),
			"asynqtrace": s.enqueueing(b, s.client.EnqueueContext, task),
			"by-hand": func(n int) {
				for range n {
					if err := s.floorEnqueue(tracer, nil); err != nil {
						b.Fatal(err)
					}
				}
			},
		} {
			b.Run(p.name+"/"+name, func(b *testing.B) { sidebyside.Run(b, eightfold(raw), eightfold(subject)) })
		}
	}
}

// eightfold has eight goroutines do an eighth of the work each.
func eightfold(work func(n int)) func(n int) {
	const goroutines = 8
	return func(n int) {
		var wg sync.WaitGroup
		for i := range goroutines {
			wg.Go(func() { work((n + i) / goroutines) })
		}
		wg.Wait()
	}
}

// benchStage is a queue for a benchmark with two clients of it, on a real Redis where
// there is one: an in-process one has lists whose time grows with the square of their
// length.
type benchStage struct {
	*env

	ctx    context.Context // has a span
	host   *asynq.Client
	client *asynqtrace.Client
}

func newBenchStage(b *testing.B, provider trace.TracerProvider) *benchStage {
	b.Helper()
	addr := os.Getenv("MQTRACE_REDIS_ADDR")
	if addr == "" {
		addr = miniredis.RunT(b).Addr()
	}
	opt, err := asynqredis.Parse(addr)
	if err != nil {
		b.Fatal(err)
	}
	s := &benchStage{env: &env{
		redis: opt,
		queue: fmt.Sprintf("mqtrace-bench-%d-%d", os.Getpid(), sequence.Add(1)),
	}}
	s.host = asynq.NewClient(s.redis)
	s.client = asynqtrace.NewClient(s.host,
		asynqtrace.WithTracerProvider(provider), asynqtrace.WithPropagators(propagator))
	ctx, span := provider.Tracer("bench").Start(context.Background(), "POST /orders")
	s.ctx = ctx
	b.Cleanup(func() {
		span.End()
		s.deleteQueue(b)
		_ = s.host.Close()
	})
	return s
}

type enqueueFunc func(context.Context, *asynq.Task, ...asynq.Option) (*asynq.TaskInfo, error)

func (s *benchStage) enqueueing(b *testing.B, enqueue enqueueFunc, task *asynq.Task) func(n int) {
	return func(n int) {
		for range n {
			if _, err := enqueue(s.ctx, task); err != nil {
				b.Fatal(err)
			}
		}
	}
}

// BenchmarkDrainRaw measures what a worker gets through, from the first task to the
// last, beside a worker without any instrumentation, on the same tasks, which carry a
// trace.
func BenchmarkDrainRaw(b *testing.B) {
	const tasks = 300
	for _, p := range benchProviders {
		s := newBenchStage(b, p.provider)
		opts := []asynqtrace.Option{asynqtrace.WithTracerProvider(p.provider), asynqtrace.WithPropagators(propagator)}
		f := floor{p.provider.Tracer("floor")}
		byHand := func(next asynq.Handler) asynq.Handler {
			return asynq.HandlerFunc(func(ctx context.Context, task *asynq.Task) error { return f.process(ctx, task, next) })
		}
		raw := func(n int) time.Duration { return s.drain(b, n, asynq.Config{}) }
		for name, subject := range map[string]func(n int) time.Duration{
			"by-hand": func(n int) time.Duration { return s.drain(b, n, asynq.Config{}, byHand) },
			"asynqtrace": func(n int) time.Duration {
				return s.drain(b, n, asynqtrace.Config(asynq.Config{}, opts...), asynqtrace.Middleware(opts...))
			},
		} {
			b.Run(p.name+"/"+name, func(b *testing.B) { sidebyside.Measure(b, tasks, raw, subject) })
		}
	}
}

// drain has n tasks processed and tells how long that took.
func (s *benchStage) drain(b *testing.B, n int, cfg asynq.Config, middleware ...asynq.MiddlewareFunc) time.Duration {
	b.Helper()
	task := asynq.NewTask("email:welcome", []byte("payload"), asynq.Queue(s.queue))
	s.enqueueing(b, s.client.EnqueueContext, task)(n)
	cfg.Concurrency, cfg.LogLevel, cfg.TaskCheckInterval = 2, asynq.FatalLevel, time.Millisecond
	cfg.Queues = map[string]int{s.queue: 1}
	first, last := make(chan time.Time, 1), make(chan time.Time, 1)
	var done atomic.Int64
	mux := asynq.NewServeMux()
	mux.Use(middleware...)
	mux.HandleFunc("email:", func(context.Context, *asynq.Task) error {
		switch done.Add(1) {
		case 1:
			first <- time.Now()
		case int64(n):
			last <- time.Now()
		}
		return nil
	})
	srv := asynq.NewServer(s.redis, cfg)
	if err := srv.Start(mux); err != nil {
		b.Fatal(err)
	}
	took := -(<-first).Sub(<-last)
	srv.Shutdown()
	return took
}
