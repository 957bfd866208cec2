package tree

import (
	"strings"
	"time"

	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/mqtrace/mqtrace/internal/traceview/messaging"
	"github.com/mqtrace/mqtrace/internal/traceview/spans"
	"github.com/mqtrace/mqtrace/internal/traceview/textfmt"
)

// Waiting is what is known of a message that was sent, and that no span has processed.
type Waiting struct {
	Since time.Time
	For   time.Duration
}

// ShownFor is for how long it is said how long a message waits. A trace that is older was
// read from a file as a rule: what became of its messages is not known.
const ShownFor = 24 * time.Hour

// Text is "not consumed for 1m41s".
func (w *Waiting) Text() string {
	if w.For < 0 || w.For > ShownFor {
		return "not consumed in what is here"
	}

	return "not consumed for " + textfmt.FormatDuration(w.For)
}

// MarkWaiting finds the spans that sent a message which nothing has consumed by now.
// consumedBy reports, for a span of this trace, whether a span of another one has.
func (t *Tree) MarkWaiting(now time.Time, consumed func(trace.SpanID) bool) {
	taken := make(map[trace.SpanID]bool)

	for _, n := range t.Order {
		for _, id := range Takes(n.Span) {
			if id.TraceID == t.Trace.ID {
				taken[id.SpanID] = true
			}
		}
	}

	for _, n := range t.Order {
		if Sent(n.Span) && !taken[n.Span.SpanID] && (consumed == nil || !consumed(n.Span.SpanID)) {
			n.Waiting = &Waiting{Since: n.Span.End, For: now.Sub(n.Span.End)}
		}
	}
}

// Waiting is how many messages of the trace nothing has consumed, as MarkWaiting has
// found, and since when the first of them waits.
func (t *Tree) Waiting() (count int, since time.Time) {
	for _, n := range t.Order {
		if n.Waiting != nil {
			if count++; since.IsZero() || n.Waiting.Since.Before(since) {
				since = n.Waiting.Since
			}
		}
	}

	return count, since
}

// SpanRef names a span of any trace.
type SpanRef struct {
	TraceID trace.TraceID
	SpanID  trace.SpanID
}

// Takes returns the spans whose messages this one has received or processed: its parent
// and those that it links to.
func Takes(s *spans.Span) []SpanRef {
	switch messaging.OperationOf(s) {
	case messaging.Process, messaging.Receive:
	default:
		return nil
	}

	taken := make([]SpanRef, 0, 1+len(s.Links))
	if s.ParentID.IsValid() {
		taken = append(taken, SpanRef{s.TraceID, s.ParentID})
	}

	for i := range s.Links {
		taken = append(taken, SpanRef{s.Links[i].TraceID, s.Links[i].SpanID})
	}

	return taken
}

// Sent reports whether the span has sent a message that somebody should consume. One
// that failed has not, nor has one that has not ended; and replies to an address of its
// own go to who waits for them.
func Sent(s *spans.Span) bool {
	if messaging.OperationOf(s) != messaging.Send || s.End.IsZero() || s.Status.Code == codes.Error {
		return false
	}

	switch s.Attributes.Text(messaging.KeyPublishOutcome) {
	case "nacked", "returned", "closed":
		return false
	}

	return !strings.Contains(messaging.RawDestination(s), "amq.rabbitmq.reply-to")
}
