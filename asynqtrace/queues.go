package asynqtrace

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/hibiken/asynq"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/mqtrace/mqtrace/internal/messaging"
)

// ObserveQueues measures all queues that the inspector knows, at each collection of metrics
// until the returned registration is unregistered:
//
//   - mqtrace.asynq.queue.size, the number of tasks by asynq.task.state: active, pending,
//     aggregating, scheduled, retry, archived and completed;
//   - mqtrace.asynq.queue.oldest_age, how long the oldest pending task has been pending, in
//     seconds, 0 if there is none. The time that a task was scheduled for is not included.
//
// Both have the name of the queue as messaging.destination.name. Measure them in one
// process rather than in each worker, since all see the same. asynq sends Redis two
// requests for each queue.
//
// A collection waits for Redis for two seconds at most, or until its context is done. If it
// fails, these two metrics are incomplete or missing, other metrics are not affected, and
// OpenTelemetry's error handler gets the error. The inspector must not be closed before the
// registration is unregistered. Of the options, [WithMeterProvider], [WithServer] and
// [WithRedis] matter. The error is not nil if inspector is nil, or if the meter provider
// refuses an instrument or the callback.
func ObserveQueues(inspector *asynq.Inspector, opts ...Option) (metric.Registration, error) {
	if inspector == nil {
		return nil, errors.New("asynqtrace: ObserveQueues needs an inspector")
	}
	c := newConfig(opts)
	provider := c.shared.MeterProvider
	if provider == nil {
		provider = otel.GetMeterProvider()
	}
	meter := provider.Meter(ScopeName,
		metric.WithInstrumentationVersion(Version), metric.WithSchemaURL(messaging.SchemaURL))
	q := &queues{inspector: inspector, identity: append(c.server.attributes(), system)}
	var sizeErr, ageErr error
	q.size, sizeErr = meter.Int64ObservableUpDownCounter(queueSizeName, metric.WithUnit("{task}"),
		metric.WithDescription("Number of tasks in a queue."))
	q.oldestAge, ageErr = meter.Float64ObservableGauge(queueOldestAgeName, metric.WithUnit("s"),
		metric.WithDescription("Time for which the oldest pending task of a queue has been pending."))
	if err := errors.Join(sizeErr, ageErr); err != nil {
		return nil, fmt.Errorf("asynqtrace: %w", err)
	}
	registration, err := meter.RegisterCallback(q.observe, q.size, q.oldestAge)
	if err != nil {
		return nil, fmt.Errorf("asynqtrace: %w", err)
	}
	return registration, nil
}

// queues measures the queues of an inspector.
type queues struct {
	inspector *asynq.Inspector
	identity  []attribute.KeyValue
	size      metric.Int64ObservableUpDownCounter
	oldestAge metric.Float64ObservableGauge
	reading   atomic.Bool
}

// queuesTimeout is how long a collection waits for Redis. go-redis, which retries, would
// wait longer, and the SDK cannot create instruments meanwhile.
const queuesTimeout = 2 * time.Second

var errStillReading = errors.New("asynqtrace: Redis has not answered the last collection yet")

// observe never fails: the SDK's periodic reader exports nothing at all if one callback
// fails.
func (q *queues) observe(ctx context.Context, o metric.Observer) error {
	infos, err := q.read(ctx)
	if err != nil {
		otel.Handle(err)
	}
	for _, info := range infos {
		for state, n := range map[asynq.TaskState]int{
			asynq.TaskStateActive: info.Active, asynq.TaskStatePending: info.Pending,
			asynq.TaskStateAggregating: info.Aggregating, asynq.TaskStateScheduled: info.Scheduled,
			asynq.TaskStateRetry: info.Retry, asynq.TaskStateArchived: info.Archived,
			asynq.TaskStateCompleted: info.Completed,
		} {
			o.ObserveInt64(q.size, int64(n), q.of(info.Queue, state))
		}
		o.ObserveFloat64(q.oldestAge, max(0, info.Latency.Seconds()), q.of(info.Queue, asynq.TaskStatePending))
	}
	return nil
}

func (q *queues) of(queue string, state asynq.TaskState) metric.MeasurementOption {
	attributes := make([]attribute.KeyValue, 0, len(q.identity)+2)
	return metric.WithAttributeSet(attribute.NewSet(append(append(attributes, q.identity...),
		messaging.DestinationName(queue), taskStateKey.String(state.String()))...))
}

// read queries Redis in a goroutine, since asynq's inspector takes no context. There is at
// most one, however long it takes: another collection does not wait for it.
func (q *queues) read(ctx context.Context) ([]*asynq.QueueInfo, error) {
	if !q.reading.CompareAndSwap(false, true) {
		return nil, errStillReading
	}
	ctx, cancel := context.WithTimeout(ctx, queuesTimeout)
	defer cancel()
	type answer struct {
		infos []*asynq.QueueInfo
		err   error
	}
	answered := make(chan answer, 1)
	go func() {
		infos, err := q.ask(ctx)
		q.reading.Store(false)
		answered <- answer{infos, err}
	}()
	select {
	case a := <-answered:
		return a.infos, a.err
	case <-ctx.Done():
		return nil, fmt.Errorf("asynqtrace: Redis does not answer: %w", ctx.Err())
	}
}

// ask returns what it got from Redis and the error that prevented more.
func (q *queues) ask(ctx context.Context) ([]*asynq.QueueInfo, error) {
	names, err := q.inspector.Queues()
	if err != nil {
		return nil, fmt.Errorf("asynqtrace: list queues: %w", err)
	}
	var infos []*asynq.QueueInfo
	for _, name := range names {
		if ctx.Err() != nil {
			break // nothing waits for the results
		}
		info, err := q.inspector.GetQueueInfo(name)
		if err == nil {
			infos = append(infos, info)
		} else if !q.isDeleted(name) {
			return infos, fmt.Errorf("asynqtrace: inspect a queue: %w", err)
		}
	}
	return infos, nil //nolint:nilerr // the queue has been deleted
}

// isDeleted reports whether a queue no longer exists. asynq's error for that has an
// unexported type.
func (q *queues) isDeleted(name string) bool {
	names, err := q.inspector.Queues()
	return err == nil && !slices.Contains(names, name)
}
