package asynqtrace_test

import (
	"context"
	"testing"

	"github.com/alicebob/miniredis/v2"
	"github.com/hibiken/asynq"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/mqtrace/mqtrace/asynqtrace"
)

// bench runs an operation in a program without an SDK and in one that records every span.
func bench(b *testing.B, start func(b *testing.B, opts ...asynqtrace.Option) func()) {
	b.Helper()
	for name, tp := range map[string]trace.TracerProvider{
		"noop": noop.NewTracerProvider(), "recording": sdktrace.NewTracerProvider(),
	} {
		b.Run(name, func(b *testing.B) {
			operation := start(b, asynqtrace.WithTracerProvider(tp), asynqtrace.WithPropagators(propagator))
			b.ReportAllocs()
			for b.Loop() {
				operation()
			}
		})
	}
}

// BenchmarkEnqueue includes an in-process Redis.
func BenchmarkEnqueue(b *testing.B) {
	bench(b, func(b *testing.B, opts ...asynqtrace.Option) func() {
		b.Helper()
		client := asynqtrace.NewClient(asynq.NewClient(asynq.RedisClientOpt{Addr: miniredis.RunT(b).Addr()}), opts...)
		b.Cleanup(func() { _ = client.Close() })
		task := asynq.NewTask("email:welcome", nil)
		return func() {
			if _, err := client.Enqueue(task); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkProcess(b *testing.B) {
	bench(b, func(_ *testing.B, opts ...asynqtrace.Option) func() {
		handler := asynqtrace.Middleware(opts...)(
			asynq.HandlerFunc(func(context.Context, *asynq.Task) error { return nil }))
		task := asynq.NewTaskWithHeaders("email:welcome", nil, map[string]string{
			"traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
		})
		return func() { _ = handler.ProcessTask(context.Background(), task) }
	})
}
