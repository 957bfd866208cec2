package main

import (
	"context"
	"errors"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"
	"go.opentelemetry.io/otel/attribute"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"github.com/mqtrace/mqtrace/asynqtrace"
)

const taskType = "email:welcome"

var taskHeaders = map[string]string{source: checkout}

func taskOptions(tp trace.TracerProvider) []asynqtrace.Option {
	return []asynqtrace.Option{asynqtrace.WithTracerProvider(tp), asynqtrace.WithPropagators(propagator)}
}

func asynqtraceEnqueue(tp trace.TracerProvider) (work, error) {
	ctx, client := request(tp), asynqtrace.NewClient(nowhereClient(), taskOptions(tp)...)
	return repeat(func() error {
		_, err := client.EnqueueContext(ctx, task(queue, taskHeaders))
		return err
	}), nil
}

func task(queue string, headers map[string]string, opts ...asynq.Option) *asynq.Task {
	return asynq.NewTaskWithHeaders(taskType, make([]byte, 512), headers, append(opts, asynq.Queue(queue))...)
}

func asynqtraceTask(tp trace.TracerProvider) (work, error) {
	ctx, task, err := attempted()
	handler := asynqtrace.Middleware(taskOptions(tp)...)(asynq.HandlerFunc(succeed))
	return repeat(func() error { return handler.ProcessTask(ctx, task) }), err
}

func succeed(context.Context, *asynq.Task) error { return nil }

// nowhereClient returns asynq's own client on a Redis that accepts everything immediately.
func nowhereClient() *asynq.Client { return asynq.NewClientFromRedisClient(nowhereRedis{}) }

type nowhereRedis struct{ redis.UniversalClient }

func (nowhereRedis) EvalSha(context.Context, string, []string, ...any) *redis.Cmd {
	return redis.NewCmdResult(int64(1), nil)
}
func (nowhereRedis) SAdd(context.Context, string, ...any) *redis.IntCmd {
	return redis.NewIntResult(1, nil)
}

// attempted returns the task and the context of an attempt at it, which only asynq's server
// can make.
func attempted(opts ...asynq.Option) (context.Context, *asynq.Task, error) {
	server, err := miniredis.Run()
	if err != nil {
		return nil, nil, err
	}
	defer server.Close()
	opt := asynq.RedisClientOpt{Addr: server.Addr()}
	client := asynq.NewClient(opt)
	defer client.Close()
	headers := map[string]string{traceparentKey: traceparent, baggageKey: baggageHeader, source: checkout}
	if _, err := client.Enqueue(task(queue, headers, opts...)); err != nil {
		return nil, nil, err
	}
	contexts, tasks := make(chan context.Context, 1), make(chan *asynq.Task, 1)
	worker := asynq.NewServer(opt, asynq.Config{
		Queues: map[string]int{queue: 1}, LogLevel: asynq.FatalLevel, TaskCheckInterval: time.Millisecond,
	})
	if err := worker.Start(asynq.HandlerFunc(func(ctx context.Context, task *asynq.Task) error {
		contexts <- context.WithoutCancel(ctx) // asynq cancels it after the attempt
		tasks <- task
		return nil
	})); err != nil {
		return nil, nil, err
	}
	defer worker.Shutdown()
	return <-contexts, <-tasks, nil
}

func handEnqueue(tp trace.TracerProvider) (work, error) {
	ctx, tracer, client := request(tp), tp.Tracer(byHand), nowhereClient()
	return repeat(func() error { return enqueueByHand(ctx, tracer, client, taskHeaders) }), nil
}

func enqueueByHand(ctx context.Context, tracer trace.Tracer, client *asynq.Client, headers map[string]string, opts ...asynq.Option) error {
	ctx, span := tracer.Start(ctx, "enqueue "+queue, trace.WithSpanKind(trace.SpanKindProducer), trace.WithAttributes(
		semconv.MessagingSystemKey.String("asynq"),
		semconv.MessagingOperationName("enqueue"),
		semconv.MessagingOperationTypeSend,
		semconv.MessagingDestinationName(queue),
		attribute.String("asynq.task.type", taskType),
	))
	defer span.End()
	info, err := client.EnqueueContext(ctx, task(queue, inject(ctx, headers), opts...))
	if err == nil {
		span.SetAttributes(semconv.MessagingMessageID(info.ID))
	}
	failed(span, err)
	return err
}

func handTask(tp trace.TracerProvider) (work, error) {
	ctx, task, err := attempted()
	tracer := tp.Tracer(byHand)
	return repeat(func() error { return taskByHand(ctx, tracer, task, succeed) }), err
}

func taskByHand(ctx context.Context, tracer trace.Tracer, task *asynq.Task, handle asynq.HandlerFunc) error {
	taskID, _ := asynq.GetTaskID(ctx)
	name, _ := asynq.GetQueueName(ctx)
	retried, _ := asynq.GetRetryCount(ctx)
	maxRetry, _ := asynq.GetMaxRetry(ctx)
	ctx, link := extract(ctx, task.Headers())
	ctx, span := tracer.Start(ctx, "process "+name, trace.WithSpanKind(trace.SpanKindConsumer), link, trace.WithAttributes(
		semconv.MessagingSystemKey.String("asynq"),
		semconv.MessagingOperationName("process"),
		semconv.MessagingOperationTypeProcess,
		semconv.MessagingDestinationName(name),
		semconv.MessagingMessageID(taskID),
		attribute.String("asynq.task.type", task.Type()),
		attribute.Int("asynq.task.retry_count", retried),
		attribute.Int("asynq.task.max_retry", maxRetry),
	))
	defer span.End()
	err := handle(ctx, task)
	outcome := outcomeOf(ctx.Err(), err, retried >= maxRetry)
	span.SetAttributes(attribute.String("asynq.task.outcome", outcome))
	cause := err
	if errors.Is(err, asynq.RevokeTask) {
		cause = nil
	}
	if outcome == "deadline" && cause == nil {
		cause = ctx.Err()
	}
	failed(span, cause)
	return err
}

// outcomeOf returns what asynq does with a task after an attempt.
func outcomeOf(ctxErr, err error, last bool) string {
	switch {
	case errors.Is(ctxErr, context.DeadlineExceeded):
		return "deadline"
	case ctxErr != nil:
		return "cancelled"
	case err == nil:
		return "done"
	case errors.Is(err, asynq.RevokeTask):
		return "revoked"
	case errors.Is(err, asynq.SkipRetry):
		return "skipped"
	case last:
		return "exhausted"
	default:
		return "retry"
	}
}
