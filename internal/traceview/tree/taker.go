package tree

import (
	"slices"
	"strings"

	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/mqtrace/mqtrace/internal/traceview/messaging"
	"github.com/mqtrace/mqtrace/internal/traceview/spans"
)

// SpanRef names a span of any trace.
type SpanRef struct {
	TraceID trace.TraceID
	SpanID  trace.SpanID
}

// Takers maps the span that sent a message to the spans that received or processed it.
type Takers map[SpanRef][]*spans.Span

// Add records the messages that the span has taken.
func (t Takers) Add(s *spans.Span) {
	for _, ref := range Takes(s) {
		if known := t[ref]; len(known) == 0 || known[len(known)-1] != s {
			t[ref] = append(known, s)
		}
	}
}

// TakersIn returns the takers among all spans of the traces.
func TakersIn(traces []spans.Trace) Takers {
	t := make(Takers)

	for _, tr := range traces {
		for i := range tr.Spans {
			t.Add(&tr.Spans[i])
		}
	}

	return t
}

// Takes returns the spans whose messages this one has received or processed: its parent and
// the spans that it links to. An aggregate has taken the tasks that it combines.
func Takes(s *spans.Span) []SpanRef {
	parent := s.ParentID.IsValid()

	switch messaging.OperationOf(s) {
	case messaging.Process, messaging.Receive:
	case messaging.Send:
		if !messaging.Aggregates(s) {
			return nil
		}

		parent = false
	default:
		return nil
	}

	taken := make([]SpanRef, 0, 1+len(s.Links))
	if parent {
		taken = append(taken, SpanRef{s.TraceID, s.ParentID})
	}

	for i := range s.Links {
		taken = append(taken, SpanRef{s.Links[i].TraceID, s.Links[i].SpanID})
	}

	return taken
}

// send notes that the span sent the message of the span above it: a framework and the
// library below it both have a span for one message, which may carry either.
func (n *Node) send() {
	p := n.Parent
	if p.Span == nil || p.Span.Service != n.Span.Service || n.Span.Kind == trace.SpanKindClient {
		return
	}

	if messaging.OperationOf(n.Span) == messaging.Send && messaging.OperationOf(p.Span) == messaging.Send {
		n.outer, p.wraps = p, true
	}
}

// Sends reports whether the span sent a message that no other span shows better: one below
// it or, for a client's span, those above it or that it links to.
func (n *Node) Sends() bool {
	if n.wraps || messaging.OperationOf(n.Span) != messaging.Send {
		return false
	}

	if n.Span.Kind != trace.SpanKindClient {
		return true
	}

	p := n.Parent

	return len(n.Span.Links) == 0 && (p == nil || p.Span == nil || p.Span.Service != n.Span.Service || messaging.OperationOf(p.Span) != messaging.Send)
}

// TakenBy returns the spans that received or processed the message of the node's span. of
// returns the takers of the span with an id.
func (n *Node) TakenBy(of func(trace.SpanID) []*spans.Span) []*spans.Span {
	const deepest = 3

	by := of(n.Span.SpanID)
	for range deepest {
		if n = n.outer; n == nil {
			break
		}

		by = append(slices.Clip(by), of(n.Span.SpanID)...)
	}

	return by
}

// notTaken returns the queues from which none of the spans has taken the message, and in
// which it was not dead-lettered. A span without a queue may be about any of them.
func notTaken(queues []string, takers []*spans.Span) []string {
	var left []string

	for _, queue := range queues {
		if !slices.ContainsFunc(takers, func(s *spans.Span) bool {
			from := messaging.DestinationOf(s).Queue

			return from == "" || from == queue || slices.Contains(messaging.DeadLetterQueues(s), queue)
		}) {
			left = append(left, queue)
		}
	}

	return left
}

// Sent reports whether the span sent a message that somebody should consume. A span that
// failed, has not ended, or whose message was refused did not; neither did a reply, which
// goes directly to the client that waits for it. A client's span is not in its messages:
// either they do not say who sent them, or each has a span of its own.
func Sent(s *spans.Span) bool {
	return messaging.OperationOf(s) == messaging.Send && s.Kind != trace.SpanKindClient && !s.End.IsZero() && s.Status.Code != codes.Error &&
		!messaging.Refused(s) && !strings.Contains(messaging.RawDestination(s), "amq.rabbitmq.reply-to")
}
