package amqptrace

import (
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// Message is what a filter or a [Relation] decides on, and what [WithMessageAttributes]
// makes attributes of.
type Message struct {
	// Queue is the consumer's queue, empty for a message that is published.
	Queue string
	// Exchange and RoutingKey are those the message is published with, or was.
	Exchange, RoutingKey string
	// Headers are the message's own, to be read only.
	Headers amqp.Table
	// MessageID, CorrelationID, Type and AppID are the message's properties of these names.
	MessageID, CorrelationID, Type, AppID string
	// BodySize is in bytes.
	BodySize int
	// Age is how long ago the message was sent, by its mqtrace-sent-at header (see
	// [WithQueueTime]) or its timestamp. It is meaningful if AgeKnown is true.
	Age      time.Duration
	AgeKnown bool
	// NewTraceAsked reports whether the producer asks for a trace of the message's own, see
	// [AskForNewTrace].
	NewTraceAsked bool
	// Attempt counts deliveries of the message to this queue, from 1; 0 for a message
	// that is published. See the package documentation for how it is known.
	Attempt int
}

// A Relation decides whether the span of a consumed message continues the trace of
// its producer, true, or starts one of its own, false, with its own sampling decision
// and a link to the producer's. It is called for every message and from many
// goroutines, and must not panic.
type Relation func(Message) bool

// ContinueTrace is the [Relation] of one trace from end to end.
func ContinueTrace(Message) bool { return true }

// NewTrace is the [Relation] of a trace for each message, linked to its producer's.
// Together with an empty [WithBaggageKeys] it is the way to consume messages of
// producers that are not trusted: they decide neither about the trace nor its
// sampling, and put nothing into the context.
func NewTrace(Message) bool { return false }

// ContinueUnlessAsked is the [Relation] that continues the trace of a message unless its
// producer asks for a new one, see [AskForNewTrace].
func ContinueUnlessAsked(m Message) bool { return !m.NewTraceAsked }

// ContinueWithin is the [Relation] that continues the trace of messages of at most an
// age and starts a new one for older messages. Tail sampling in a Collector decides
// about a trace once and forgets it: spans that come hours later are lost or alone,
// and a link holds where a parent cannot. A message of unknown age is continued. The age of a
// message that is published with a delay (x-delay) by this package is known.
func ContinueWithin(age time.Duration) Relation {
	return func(m Message) bool { return !m.AgeKnown || m.Age <= age }
}
