package tree

import (
	"slices"
	"strings"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/mqtrace/mqtrace/internal/traceview/messaging"
	"github.com/mqtrace/mqtrace/internal/traceview/spans"
	"github.com/mqtrace/mqtrace/internal/traceview/textfmt"
)

// Waiting is what is known about a message that was sent and that no span has processed.
type Waiting struct {
	// Since is when the message was sent or, if that is later, when it is due; in that case
	// Due is set.
	Since time.Time
	Due   bool
	// For is the time since then, negative if Since is in the future.
	For time.Duration
	// In are the queues in which nothing has consumed it, inferred from other messages.
	In []string
}

// WaitingSince returns when the wait of the span's message began, and whether that is when
// it was due.
func WaitingSince(s *spans.Span) (since time.Time, due bool) {
	if at := messaging.DueTime(s); at.After(s.End) {
		return at, true
	}

	return s.End, false
}

// NewWaiting returns what is known at the given time about the message that the span sent.
func NewWaiting(s *spans.Span, now time.Time, in []string) *Waiting {
	w := &Waiting{In: in}
	w.Since, w.Due = WaitingSince(s)
	w.For = now.Sub(w.Since)

	return w
}

// Scheduled reports whether the message is not due yet: nobody should have consumed it.
func (w *Waiting) Scheduled() bool { return w.Due && w.For < 0 }

// ShownFor is how long the waiting time of a message is shown. A trace that is older was
// usually read from a file, and what became of its messages is not known.
const ShownFor = 24 * time.Hour

// Text returns "not consumed for 1m41s", "not consumed in billing for 1m41s", or "due in
// 5m00s".
func (w *Waiting) Text() string {
	text := "not consumed"
	if len(w.In) > 0 {
		text += " in " + queueNames(w.In)
	}

	switch {
	case w.Scheduled():
		return "due in " + textfmt.FormatDuration(-w.For)
	case w.For < 0 || w.For > ShownFor:
		return text + " as far as recorded"
	case w.Due:
		return text + " for " + textfmt.FormatDuration(w.For) + " since it was due"
	default:
		return text + " for " + textfmt.FormatDuration(w.For)
	}
}

// WaitsIn reports whether the message of the node's span waits in the queue.
func (n *Node) WaitsIn(queue string) bool {
	switch {
	case n.Waiting == nil || n.Waiting.Scheduled():
		return false
	case len(n.Waiting.In) > 0:
		return slices.ContainsFunc(n.Waiting.In, func(name string) bool { return strings.EqualFold(name, queue) })
	default:
		return strings.EqualFold(messaging.DestinationOf(n.Span).String(), queue)
	}
}

func queueNames(names []string) string {
	const most = 3

	text := textfmt.Printable(strings.Join(names[:min(len(names), most)], ", "), MaxName)
	if len(names) > most {
		text += " and " + textfmt.Count(len(names)-most, "other")
	}

	return text
}

// Elsewhere is what spans of other traces reveal about a trace's messages. The zero value
// knows nothing.
type Elsewhere struct {
	// Takers returns the takers of the messages of a span of the trace.
	Takers func(trace.SpanID) []*spans.Span
	// Routes are the routes of the messages of all traces.
	Routes *Routes
	// Waits, if it is not nil, already knows which messages wait, and where.
	Waits func(trace.SpanID) (in []string, waits bool)
}

// ElsewhereIn returns what the spans of the traces reveal about the messages of each trace.
func ElsewhereIn(traces []spans.Trace) func(trace.TraceID) Elsewhere {
	takers := TakersIn(traces)
	routes := LearnRoutes(traces, takers)

	return func(id trace.TraceID) Elsewhere {
		return Elsewhere{Routes: routes, Takers: func(span trace.SpanID) []*spans.Span { return takers[SpanRef{id, span}] }}
	}
}

// MarkWaiting marks the spans that sent a message that nothing has consumed by now, or not
// in every queue in which it should have arrived.
func (t *Tree) MarkWaiting(now time.Time, other Elsewhere) {
	waits := t.waits(other)

	for _, n := range t.Order {
		if in, waits := waits(n); waits {
			n.Waiting = NewWaiting(n.Span, now, in)
		}
	}
}

// waits returns a function that reports whether the message of a node's span waits, and
// where.
func (t *Tree) waits(other Elsewhere) func(*Node) (in []string, waits bool) {
	if other.Waits != nil {
		return func(n *Node) ([]string, bool) { return other.Waits(n.Span.SpanID) }
	}

	takers := make(Takers)
	for _, n := range t.Order {
		takers.Add(n.Span)
	}

	of := func(id trace.SpanID) []*spans.Span {
		by := takers[SpanRef{t.Trace.ID, id}]
		if other.Takers != nil {
			by = append(slices.Clip(by), other.Takers(id)...)
		}

		return by
	}

	return func(n *Node) ([]string, bool) {
		if !n.Sends() {
			return nil, false
		}

		return other.Routes.WaitsIn(n.Span, n.TakenBy(of))
	}
}

// Waiting returns how many messages of the trace nothing has consumed, according to
// MarkWaiting, and since when the first of them has waited.
func (t *Tree) Waiting() (count int, since time.Time) {
	return t.unconsumed(func(w *Waiting) bool { return !w.Scheduled() })
}

// Scheduled returns how many messages of the trace are not due yet, and when the first of
// them is due.
func (t *Tree) Scheduled() (count int, due time.Time) {
	return t.unconsumed((*Waiting).Scheduled)
}

func (t *Tree) unconsumed(counts func(*Waiting) bool) (count int, first time.Time) {
	for _, n := range t.Order {
		if w := n.Waiting; w != nil && counts(w) {
			if count++; first.IsZero() || w.Since.Before(first) {
				first = w.Since
			}
		}
	}

	return count, first
}
