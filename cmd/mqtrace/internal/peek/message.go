// Package peek reads the messages of a queue, with the trace that each belongs to,
// and leaves them there.
//
// It never holds more than a few messages, nor more of a body than is shown: each message
// is read, printed and forgotten.
package peek

import (
	"iter"
	"strings"
	"time"

	"github.com/mqtrace/mqtrace/cmd/mqtrace/internal/tracecontext"
	"github.com/mqtrace/mqtrace/internal/messaging"
)

// Source is a queue to read from.
type Source interface {
	// Messages reads at most limit messages, or limit of each state if a queue has several.
	// It ends after an error.
	Messages(limit int) iter.Seq2[Message, error]
	// Total returns the number of messages when the source was opened.
	Total() int
}

// Message is the report on one message. Its JSON names are part of the tool's documented
// output: add to them, never change them.
type Message struct {
	Position int `json:"position"`

	// The context that the message carries. The trace's fields are absent if the context is
	// not "ok".
	Context      tracecontext.State `json:"context"`
	ContextError string             `json:"context_error,omitempty"`
	TraceID      string             `json:"trace_id,omitempty"`
	ParentSpanID string             `json:"parent_span_id,omitempty"`
	Sampled      *bool              `json:"sampled,omitempty"`
	Link         string             `json:"link,omitempty"`
	BaggageKeys  []string           `json:"baggage_keys,omitempty"`
	// Baggage has the values if requested.
	Baggage map[string]string `json:"baggage,omitempty"`

	// Age is nil if it is not known when the message was sent.
	Age *float64 `json:"age_seconds"`
	// Attempts counts earlier deliveries to this queue, or runs of a task that failed.
	Attempts  int    `json:"attempts"`
	Producer  string `json:"producer"`
	ID        string `json:"message_id,omitempty"`
	Type      string `json:"type,omitempty"`
	BodyBytes int    `json:"body_bytes"`
	// Body is the beginning of the body, if requested. If that is not UTF-8, it is in
	// BodyBase64 instead.
	Body          string `json:"body,omitempty"`
	BodyBase64    []byte `json:"body_base64,omitempty"`
	BodyTruncated bool   `json:"body_truncated,omitempty"`

	*Delivery //nolint:embeddedstructfieldcheck // the order of the JSON
	*Task
}

// Delivery is what only RabbitMQ records.
type Delivery struct {
	Exchange      string       `json:"exchange"`
	RoutingKey    string       `json:"routing_key"`
	CorrelationID string       `json:"correlation_id,omitempty"`
	Redelivered   bool         `json:"redelivered"`
	DeadLettered  int64        `json:"dead_letter_count"`
	DeadLetters   []DeadLetter `json:"dead_letters,omitempty"`
}

// DeadLetter is a queue in which the message died, newest first.
type DeadLetter struct {
	Queue  string `json:"queue"`
	Reason string `json:"reason"`
	Count  int64  `json:"count"`
	// Exchange and RoutingKey are those with which the message came to that queue.
	Exchange   string     `json:"exchange"`
	RoutingKey string     `json:"routing_key"`
	First      *time.Time `json:"first_at,omitempty"`
}

// Task is what only asynq records.
type Task struct {
	State      string     `json:"state"`
	Group      string     `json:"group,omitempty"`
	MaxRetry   int        `json:"max_retry"`
	LastError  string     `json:"last_error,omitempty"`
	LastFailed *time.Time `json:"last_failed_at,omitempty"`
	NextRun    *time.Time `json:"next_run_at,omitempty"`
	Completed  *time.Time `json:"completed_at,omitempty"`
	Orphaned   bool       `json:"orphaned,omitempty"`
}

// Options select what to show of a message.
type Options struct {
	// TraceURL makes the links: {trace_id} and {span_id} in it are replaced. By
	// default, there are no links.
	TraceURL string
	// BaggageValues shows the values of the baggage too, which may be private.
	BaggageValues bool
	// Bodies shows the first [MaxBody] bytes of each body, which may be private, too.
	Bodies bool
	// Now is the reference for ages. By default, the time of reading.
	Now func() time.Time
	// Done ends the reading when it is closed. By default, nothing does.
	Done <-chan struct{}
	// QueueType returns the type of the queue, and is called if RabbitMQ does not report it
	// over AMQP. By default, there is no other source.
	QueueType func() (string, error)
}

func (o Options) stopped() bool {
	select {
	case <-o.Done:
		return true
	default:
		return false
	}
}

func (o Options) now() time.Time {
	if o.Now != nil {
		return o.Now()
	}
	return time.Now()
}

// message creates a message from its context.
func (o Options) message(position int, c tracecontext.Context) Message {
	m := Message{Position: position, Context: c.State, ContextError: c.Problem}
	if c.State == tracecontext.OK {
		sampled := c.Span.IsSampled()
		m.TraceID, m.ParentSpanID, m.Sampled = c.Span.TraceID().String(), c.Span.SpanID().String(), &sampled
		m.Link = Link(o.TraceURL, m.TraceID, m.ParentSpanID)
	}
	for _, member := range c.Baggage {
		m.BaggageKeys = append(m.BaggageKeys, member.Key())
		if o.BaggageValues {
			if m.Baggage == nil {
				m.Baggage = make(map[string]string)
			}
			m.Baggage[member.Key()] = member.Value()
		}
	}
	return m
}

// Times beyond these are from a wrong clock or unit: no message is older than RabbitMQ, and
// none was sent a day in the future.
const (
	maxAge   = 20 * 365 * 24 * time.Hour
	maxAhead = 24 * time.Hour
)

// setAge sets the age, unless it is unknown or impossible.
func (m *Message) setAge(sentAt string, at, now time.Time) {
	age, by := messaging.Age(sentAt, at, now)
	later, _ := messaging.Age(sentAt, at, now.Add(maxAhead))
	if by == messaging.Unknown || age > maxAge || later == 0 {
		return
	}
	seconds := age.Seconds()
	m.Age = &seconds
}

// Link fills in a template, and is empty if the template is.
func Link(template, traceID, spanID string) string {
	return strings.NewReplacer("{trace_id}", traceID, "{span_id}", spanID).Replace(template)
}

// maxUnix is the end of the year 9999, the last that RFC 3339, and so JSON, can express.
const maxUnix = 253402300799

// timeOf returns nil for the zero time and for a time that no clock shows.
func timeOf(t time.Time) *time.Time {
	if t.IsZero() || t.Unix() <= 0 || t.Unix() > maxUnix {
		return nil
	}
	t = t.UTC()
	return &t
}
