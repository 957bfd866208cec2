package amqptrace

import (
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// Message describes a message to a filter, a [Relation] or the function of
// [WithMessageAttributes].
type Message struct {
	// Queue is the consumer's queue, empty for a message that is published.
	Queue string
	// Exchange and RoutingKey are those that the message is or was published with.
	Exchange, RoutingKey string
	// Headers are the message's own and must not be changed.
	Headers amqp.Table
	// MessageID, CorrelationID, Type and AppID are the message's properties with these
	// names.
	MessageID, CorrelationID, Type, AppID string
	// BodySize is in bytes.
	BodySize int
	// Age is how long ago the message was sent, by its mqtrace-sent-at header (see
	// [WithQueueTime]) or its timestamp. It is meaningful if AgeKnown is true, which it never
	// is for a message that is published.
	Age      time.Duration
	AgeKnown bool
	// NewTraceAsked reports whether the producer asked for a new trace, see
	// [AskForNewTrace]. It is false for a message that is published.
	NewTraceAsked bool
	// Attempt counts deliveries of the message to this queue, from 1; 0 for a message that
	// is published. The package documentation describes how it is determined.
	Attempt int
}

// A Relation reports whether the span of a consumed message continues the trace of its
// producer. If not, it starts a new trace, with its own sampling decision and a link to the
// producer's. It is called for every message and from many goroutines. If it panics, the
// trace is continued, and OpenTelemetry's error handler is called once.
type Relation func(Message) bool

// ContinueTrace is the [Relation] that always continues the trace.
func ContinueTrace(Message) bool { return true }

// NewTrace is the [Relation] that starts a new trace for each message, linked to its
// producer's. Use it together with an empty [WithBaggageKeys] for untrusted producers: they
// then decide neither the trace nor its sampling, and put nothing into the context.
func NewTrace(Message) bool { return false }

// ContinueUnlessAsked is the [Relation] that continues the trace of a message unless its
// producer asks for a new one, see [AskForNewTrace].
func ContinueUnlessAsked(m Message) bool { return !m.NewTraceAsked }

// ContinueWithin is the [Relation] that continues the trace of messages up to the given age
// and starts a new one for older messages. Tail sampling in a Collector decides about a
// trace once and then forgets it: a span that comes hours later is dropped or kept without
// its parent, whereas a link still holds. The trace of a message of unknown age is
// continued. The age of a message that is published with a delay (x-delay) by this package
// is known.
func ContinueWithin(age time.Duration) Relation {
	return func(m Message) bool { return !m.AgeKnown || m.Age <= age }
}
