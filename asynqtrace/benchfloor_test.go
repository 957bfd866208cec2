package asynqtrace_test

import (
	"context"
	"testing"

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
// end. The ratio to it is the package's own cost.
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
