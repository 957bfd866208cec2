package messaging

import (
	"cmp"
	"math"
	"strings"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/mqtrace/mqtrace/internal/traceview/spans"
)

// Operation is what a span does with a message.
type Operation int

// What a span may do with a message.
const (
	None    Operation = iota
	Send              // publishes or enqueues it
	Receive           // asks for it
	Process           // handles it
	Settle            // acknowledges or refuses it
)

var operations = map[string]Operation{
	"send": Send, "publish": Send, "create": Send, "enqueue": Send,
	"receive": Receive, "get": Receive, "poll": Receive, "fetch": Receive,
	"process": Process, "deliver": Process, "consume": Process,
	"settle": Settle, "ack": Settle, "nack": Settle, "reject": Settle,
}

// OperationOf returns what the span does. Attributes take precedence over its kind.
func OperationOf(s *spans.Span) Operation {
	for _, key := range []string{keyOperationType, keyOperationBefore, keyOperationName} {
		operation := operations[strings.ToLower(s.Attributes.Text(key))]
		if operation == Receive && s.Kind == trace.SpanKindConsumer && !empty(s) {
			// Instrumentation that knows only one operation uses it for a handler's span.
			return Process
		}

		if operation != None {
			return operation
		}
	}

	switch s.Kind {
	case trace.SpanKindProducer:
		return Send
	case trace.SpanKindConsumer:
		return Process
	default:
		return None
	}
}

// empty reports whether the span asked for messages and got none.
func empty(s *spans.Span) bool {
	n, ok := s.Attributes.Number(keyBatchCount)

	return ok && n == 0 || s.Attributes.Text(keyOperationName) == "fetch (empty)" // .NET's
}

// Asks reports whether the span's attributes say that it only received its message, even
// if [OperationOf] takes it for the handler's.
func Asks(s *spans.Span) bool {
	for _, key := range []string{keyOperationType, keyOperationBefore} {
		if operations[strings.ToLower(s.Attributes.Text(key))] == Receive {
			return true
		}
	}

	return false
}

// Concerns reports whether the span is about a message.
func Concerns(s *spans.Span) bool {
	return s.Kind == trace.SpanKindProducer || s.Kind == trace.SpanKindConsumer || System(s) != "" || OperationOf(s) != None
}

// System returns "rabbitmq", "asynq" and so on, "" if the span has none.
func System(s *spans.Span) string {
	return cmp.Or(s.Attributes.Text(keySystem), s.Attributes.Text(keySystemNew))
}

// MessageID returns the message's id, "" if the span has none.
func MessageID(s *spans.Span) string {
	return cmp.Or(s.Attributes.Text(keyMessageID), s.Attributes.Text(keyMessageIDOld))
}

// Messages returns how many messages the span is about: 1, unless the span says otherwise.
func Messages(s *spans.Span) int {
	const most = 1 << 20

	if n, ok := s.Attributes.Number(keyBatchCount); ok && n >= 1 && n < most {
		return int(n)
	}

	return 1
}

// Attempt returns which attempt at its message the span is according to its attributes,
// from 1, or 0 if they do not say.
func Attempt(s *spans.Span) int {
	const most = 1 << 30

	if n, ok := s.Attributes.Number(keyAttempt); ok && n >= 1 && n < most {
		return int(n)
	}

	if n, ok := s.Attributes.Number(keyTaskRetryCount); ok && n >= 0 && n < most {
		return int(n) + 1
	}

	return 0
}

// QueueTime returns the message's age when the span started, as its consumer recorded it.
// It is exact only to a second if the message had only a time in whole seconds.
func QueueTime(s *spans.Span) (took time.Duration, exact, ok bool) {
	const longest = 100 * 365 * 24 * 3600

	seconds, ok := s.Attributes.Number(keyQueueTime)
	if !ok || math.IsNaN(seconds) || seconds < 0 || seconds > longest {
		return 0, false, false
	}

	took = time.Duration(seconds * float64(time.Second))

	return took, !isWholeSecond(s.Start.Add(-took)), true
}

// DueTime returns when the message that the span sent is due to be processed, or the zero
// time if it was not scheduled for later.
func DueTime(s *spans.Span) time.Time {
	due, err := time.Parse(time.RFC3339, s.Attributes.Text(keyDueTime))
	if err != nil {
		return time.Time{}
	}

	return due
}

// Refused reports whether the broker did not accept the span's message although the span's
// status is not an error. Nobody will consume such a message.
func Refused(s *spans.Span) bool {
	switch s.Attributes.Text(KeyPublishOutcome) {
	case "nacked", "returned", "closed":
		return true
	}

	switch s.Attributes.Text(keyEnqueueOutcome) {
	case "duplicate", "conflict":
		return true
	default:
		return false
	}
}

// Aggregates reports whether the span combines several messages, to which it links, into
// one.
func Aggregates(s *spans.Span) bool { return s.Attributes.Text(keyOperationName) == "aggregate" }

// isWholeSecond reports whether a message seems to have been sent at a whole second, which
// means that its time was truncated. The consumer starts its span slightly after reading
// the clock.
func isWholeSecond(sent time.Time) bool {
	const before, after = 50 * time.Microsecond, time.Millisecond

	part := time.Duration(sent.Nanosecond())

	return part < after || part > time.Second-before
}

// DeadLetters returns how often the message had been dead-lettered before and, as far as
// known, why and where the last time.
func DeadLetters(s *spans.Span) (count int, reason, queue string) {
	n, _ := s.Attributes.Number(keyDeadLetterCount)
	if !(n >= 1) {
		return 0, "", ""
	}

	if reasons := s.Attributes.List(keyDeadLetterReason); len(reasons) > 0 {
		reason = reasons[0]
	}

	if queues := s.Attributes.List(keyDeadLetterQueues); len(queues) > 0 {
		queue = queues[0]
	}

	return int(min(n, math.MaxInt32)), reason, queue
}

// DeadLetterQueues returns the queues in which the message was dead-lettered, newest first.
func DeadLetterQueues(s *spans.Span) []string { return s.Attributes.List(keyDeadLetterQueues) }

// Confirmed reports whether a publish span covers the broker's confirm. If so, the message
// may have been in its queue since the start of the span.
func Confirmed(s *spans.Span) bool {
	switch s.Attributes.Text(KeyPublishOutcome) {
	case "", "unconfirmed":
		return false
	default:
		return true
	}
}

// Outcome returns the message's settlement, or the outcome of its task or publish, "" if
// the span has none.
func Outcome(s *spans.Span) string {
	return cmp.Or(s.Attributes.Text(KeySettlement), s.Attributes.Text(KeyTaskOutcome), s.Attributes.Text(KeyPublishOutcome))
}

// Succeeded reports whether the span's message was processed for good, according to its
// attributes.
func Succeeded(s *spans.Span) bool {
	return s.Attributes.Text(KeySettlement) == "ack" || s.Attributes.Text(KeyTaskOutcome) == "done"
}

// Retried reports whether the span's message will be retried, according to its attributes.
func Retried(s *spans.Span) bool {
	return s.Attributes.Text(KeySettlement) == "requeue" || s.Attributes.Text(KeyTaskOutcome) == "retry"
}
