package messaging

import (
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/semconv/v1.43.0/messagingconv"
	"go.opentelemetry.io/otel/trace"
)

// Every attribute key and value of the semantic conventions that both packages
// use is named here and nowhere else: 1.45 renames some, and following it should
// be a change to this file and to the semconv.go of each package.

// SchemaURL is the schema of the attributes that the instrumentation emits.
const SchemaURL = semconv.SchemaURL

// An OperationKind is an operation of the conventions: its type and the kind of
// its span.
type OperationKind struct {
	operationType   attribute.KeyValue
	spanKind        trace.SpanKind
	durationHasType bool // the duration metric has the operation's type
	exception       exceptionEvent
}

// An exceptionEvent is the log record of a failed operation.
// https://opentelemetry.io/docs/specs/semconv/messaging/messaging-exceptions/
type exceptionEvent struct {
	event    string
	severity int
}

// Severity numbers of OpenTelemetry's log data model.
const (
	severityWarn  = 13
	severityError = 17
)

// The operations. A send span is of kind PRODUCER because its context is what the
// message carries.
// https://opentelemetry.io/docs/specs/semconv/messaging/messaging-spans/#span-kind
var (
	Send = OperationKind{
		semconv.MessagingOperationTypeSend, trace.SpanKindProducer, true,
		exceptionEvent{"messaging.send.exception", severityWarn},
	}
	Receive = OperationKind{
		semconv.MessagingOperationTypeReceive, trace.SpanKindClient, true,
		exceptionEvent{"messaging.receive.exception", severityWarn},
	}
	Process = OperationKind{
		semconv.MessagingOperationTypeProcess, trace.SpanKindConsumer, false,
		exceptionEvent{"messaging.process.exception", severityError},
	}
	Settle = OperationKind{
		semconv.MessagingOperationTypeSettle, trace.SpanKindClient, true,
		exceptionEvent{"messaging.settle.exception", severityWarn},
	}
)

// durationType returns the operation's type, if the duration metric has it.
func (k OperationKind) durationType() []attribute.KeyValue {
	if k.durationHasType {
		return []attribute.KeyValue{k.operationType}
	}
	return nil
}

// Attributes of every operation.
func operationName(name string) attribute.KeyValue { return semconv.MessagingOperationName(name) }

// DestinationName is the full name of what a message was sent to or came from.
func DestinationName(name string) attribute.KeyValue {
	return semconv.MessagingDestinationName(ValidText(name))
}

// DestinationTemplate stands for a destination whose name has too high a cardinality for a
// span's name.
func DestinationTemplate(name string) attribute.KeyValue {
	return semconv.MessagingDestinationTemplate(ValidText(name))
}

// DestinationAnonymous is true for a destination with a generated name.
func DestinationAnonymous() attribute.KeyValue { return semconv.MessagingDestinationAnonymous(true) }

// DestinationTemporary is true for a destination that is deleted when its messages have
// been processed.
func DestinationTemporary() attribute.KeyValue { return semconv.MessagingDestinationTemporary(true) }

// MessageID is the message's own identifier.
func MessageID(id string) attribute.KeyValue { return semconv.MessagingMessageID(ValidText(id)) }

// ConversationID correlates a request with its reply.
func ConversationID(id string) attribute.KeyValue {
	return semconv.MessagingMessageConversationID(ValidText(id))
}

// BatchMessageCount is how many messages an operation was for.
func BatchMessageCount(n int) attribute.KeyValue { return semconv.MessagingBatchMessageCount(n) }

// BatchWithoutContext is how many messages of a batch carried no context that could be used.
func BatchWithoutContext(n int) attribute.KeyValue {
	return attribute.Int("mqtrace.batch.without_context", n)
}

// BatchUnlinked is how many messages of a batch carried a context that is not linked, since
// a span has only so many links.
func BatchUnlinked(n int) attribute.KeyValue { return attribute.Int("mqtrace.batch.unlinked", n) }

// BodySize is the size of a message's body in bytes.
func BodySize(n int) attribute.KeyValue { return semconv.MessagingMessageBodySize(n) }

// Names of this project's own, which the conventions lack.
const (
	queueTimeName      = "mqtrace.queue_time"
	withoutContextName = "mqtrace.messages.without_context"
	settledName        = "mqtrace.messages.settled"
)

// QueueTimeAttribute is the time in seconds from the sending of a message to the start
// of its processing.
func QueueTimeAttribute(seconds float64) attribute.KeyValue {
	return attribute.Float64(queueTimeName, seconds)
}

// Attempt is how often a message has been delivered for processing, from 1.
func Attempt(n int) attribute.KeyValue { return attribute.Int("mqtrace.attempt", n) }

// Text is an attribute of a package's own whose value comes from elsewhere.
func Text(key attribute.Key, value string) attribute.KeyValue { return key.String(ValidText(value)) }

// ServerAddress is the broker's host name or address.
func ServerAddress(address string) attribute.KeyValue { return semconv.ServerAddress(address) }

// ServerPort is the broker's port.
func ServerPort(port int) attribute.KeyValue { return semconv.ServerPort(port) }

// PeerAddress is the remote address of a connection to the broker.
func PeerAddress(address string) attribute.KeyValue { return semconv.NetworkPeerAddress(address) }

// PeerPort is the remote port of a connection to the broker.
func PeerPort(port int) attribute.KeyValue { return semconv.NetworkPeerPort(port) }

func errorTypeAttribute(errorType string) attribute.KeyValue {
	return semconv.ErrorTypeKey.String(ValidText(errorType))
}

// errorTypeOf returns the result of err's ErrorType method, or the name of its type.
func errorTypeOf(err error) string {
	kv := semconv.ErrorType(err)
	return kv.Value.AsString()
}

// errorTypeOther is the type of an error without a better name.
var errorTypeOther = semconv.ErrorTypeOther.Value.AsString()

// The instruments of the conventions that both packages have.

func newOperationDuration(m metric.Meter) (metric.Float64Histogram, error) {
	i, err := messagingconv.NewClientOperationDuration(m, buckets)
	return i.Inst(), err
}

func newProcessDuration(m metric.Meter) (metric.Float64Histogram, error) {
	i, err := messagingconv.NewProcessDuration(m, buckets)
	return i.Inst(), err
}

func newSentMessages(m metric.Meter) (metric.Int64Counter, error) {
	i, err := messagingconv.NewClientSentMessages(m)
	return i.Inst(), err
}

func newConsumedMessages(m metric.Meter) (metric.Int64Counter, error) {
	i, err := messagingconv.NewClientConsumedMessages(m)
	return i.Inst(), err
}
