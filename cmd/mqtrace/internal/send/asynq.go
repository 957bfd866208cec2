package send

import (
	"context"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"
	"go.opentelemetry.io/otel/trace"

	"github.com/mqtrace/mqtrace/asynqtrace"
	"github.com/mqtrace/mqtrace/cmd/mqtrace/internal/tracecontext"
)

// Asynq enqueues the task and returns its span context.
func Asynq(
	ctx context.Context, redis redis.UniversalClient, provider trace.TracerProvider, task *asynq.Task,
) (*asynq.TaskInfo, trace.SpanContext, error) {
	client := asynqtrace.NewClient(asynq.NewClientFromRedisClient(redis), asynqtrace.WithTracerProvider(provider),
		asynqtrace.WithPropagators(tracecontext.Propagator()), asynqtrace.WithQueueTime())
	info, err := client.EnqueueContext(ctx, task)
	if err != nil {
		return nil, trace.SpanContext{}, err
	}
	return info, tracecontext.ReadText(info.Headers).Span, nil
}
