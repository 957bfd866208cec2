package asynqtrace

import (
	"time"

	"go.opentelemetry.io/otel/attribute"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
)

// Every attribute key of this package is in this file. The conventions list no
// value of messaging.system for asynq and allow custom ones.
// https://opentelemetry.io/docs/specs/semconv/registry/attributes/messaging/

var system = semconv.MessagingSystemKey.String("asynq")

const (
	taskTypeKey   = attribute.Key("asynq.task.type")
	retryCountKey = attribute.Key("asynq.task.retry_count")
	maxRetryKey   = attribute.Key("asynq.task.max_retry")
	outcomeKey    = attribute.Key("asynq.task.outcome")

	// taskStateKey is the state of the observed tasks of a queue, as asynq writes it.
	taskStateKey = attribute.Key("asynq.task.state")

	// enqueueOutcomeKey is on the span of an enqueue that asynq refused at the caller's
	// request, with one of these two values.
	enqueueOutcomeKey = attribute.Key("asynq.enqueue.outcome")
	enqueueDuplicate  = "duplicate"
	enqueueConflict   = "conflict"

	// dueTimeKey is when a task is to be processed, on the span of an enqueue with a delay.
	dueTimeKey = attribute.Key("mqtrace.due_time")

	// overlappingKey is true on the span of a tick whose task carries the context of an
	// earlier tick, which is linked.
	overlappingKey = attribute.Key("asynq.scheduler.overlapping")

	// groupKey is the group of an aggregate. unlinkedKey counts the tasks of the group
	// whose contexts are not linked, since there are too many.
	groupKey    = attribute.Key("asynq.group")
	unlinkedKey = attribute.Key("asynq.group.unlinked")
)

// Metrics of this package alone.
const (
	queueSizeName      = "mqtrace.asynq.queue.size"
	queueOldestAgeName = "mqtrace.asynq.queue.oldest_age"
)

// dueTime is in whole seconds, to which asynq truncates it too.
func dueTime(at time.Time) attribute.KeyValue {
	return dueTimeKey.String(at.UTC().Format(time.RFC3339))
}
