// Package messaging determines a span's role for a message: its operation, its queue and
// its attempt. It uses the attributes of OpenTelemetry's messaging conventions, old and
// new, and of mqtrace. A span's name counts only if it has the form that the conventions
// define.
package messaging

// The attributes that mqtrace and OpenTelemetry's messaging conventions put on spans.
const (
	keySystem          = "messaging.system"
	keyOperationName   = "messaging.operation.name"
	keyOperationType   = "messaging.operation.type"
	keyOperationBefore = "messaging.operation" // before conventions 1.25
	keyDestination     = "messaging.destination.name"
	keyTemplate        = "messaging.destination.template"
	keyDestinationOld  = "messaging.destination" // before conventions 1.17
	keyDestinationKind = "messaging.destination_kind"
	keyAnonymous       = "messaging.destination.anonymous"
	keyTemporaryOld    = "messaging.temp_destination"

	// In conventions 1.17 to 1.19, a consumer's queue is its source.
	keySource            = "messaging.source.name"
	keySourceTemplate    = "messaging.source.template"
	keySourceAnonymous   = "messaging.source.anonymous"
	keyDestinationKind17 = "messaging.destination.kind"

	keyRoutingKey       = "messaging.rabbitmq.destination.routing_key"
	keyRoutingKeyNew    = "rabbitmq.destination.routing_key"
	keyRoutingKeyOld    = "messaging.rabbitmq.routing_key"
	keySystemNew        = "messaging.system.name"
	keyMessageID        = "messaging.message.id"
	keyMessageIDOld     = "messaging.message_id"
	keyConsumerType     = "messaging.masstransit.consumer_type"
	keyBatchCount       = "messaging.batch.message_count"
	keyQueueTime        = "mqtrace.queue_time"
	keyDueTime          = "mqtrace.due_time"
	keyAttempt          = "mqtrace.attempt"
	keyTaskRetryCount   = "asynq.task.retry_count"
	keyEnqueueOutcome   = "asynq.enqueue.outcome"
	keyDeadLetterCount  = "mqtrace.dead_letter.count"
	keyDeadLetterQueues = "mqtrace.dead_letter.queues"
	keyDeadLetterReason = "mqtrace.dead_letter.reasons"

	KeySettlement     = "mqtrace.settlement"
	KeyPublishOutcome = "mqtrace.publish.outcome"
	KeyTaskOutcome    = "asynq.task.outcome"
	KeyDeadLetters    = keyDeadLetterCount
)
