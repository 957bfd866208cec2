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

// Waiting is what is known of a message that was sent, and that no span has processed.
type Waiting struct {
	// Since is when the message was sent or, if that is later, when it is due: Due is set
	// then.
	Since time.Time
	Due   bool
	// For is how long ago that is; less than 0 where it is to come.
	For time.Duration
	// In are the queues where nothing has consumed it, where other messages tell.
	In []string
}

// WaitingSince returns since when a message waits that the span has sent, and whether it had
// to be due first.
func WaitingSince(s *spans.Span) (since time.Time, due bool) {
	if at := messaging.DueTime(s); at.After(s.End) {
		return at, true
	}

	return s.End, false
}

// NewWaiting is what is known now of the message that the span has sent.
func NewWaiting(s *spans.Span, now time.Time, in []string) *Waiting {
	w := &Waiting{In: in}
	w.Since, w.Due = WaitingSince(s)
	w.For = now.Sub(w.Since)

	return w
}

// Scheduled reports whether the message is not due yet: nobody should have consumed it.
func (w *Waiting) Scheduled() bool { return w.Due && w.For < 0 }

// ShownFor is for how long it is said how long a message waits. A trace that is older was
// read from a file as a rule: what became of its messages is not known.
const ShownFor = 24 * time.Hour

// Text is "not consumed for 1m41s", "not consumed in billing for 1m41s", or "due in 5m00s".
func (w *Waiting) Text() string {
	text := "not consumed"
	if len(w.In) > 0 {
		text += " in " + queueNames(w.In)
	}

	switch {
	case w.Scheduled():
		return "due in " + textfmt.FormatDuration(-w.For)
	case w.For < 0 || w.For > ShownFor:
		return text + " in what is here"
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

// Elsewhere is what spans of other traces tell of a trace's messages. The zero value knows
// nothing.
type Elsewhere struct {
	// Takers are those of the messages of a span of the trace.
	Takers func(trace.SpanID) []*spans.Span
	// Routes are those of the messages of all traces.
	Routes *Routes
	// Waits, if it is not nil, has found out already which messages wait, and where.
	Waits func(trace.SpanID) (in []string, waits bool)
}

// ElsewhereIn has what the spans of the traces tell of the messages of each of them.
func ElsewhereIn(traces []spans.Trace) func(trace.TraceID) Elsewhere {
	takers := TakersIn(traces)
	routes := LearnRoutes(traces, takers)

	return func(id trace.TraceID) Elsewhere {
		return Elsewhere{Routes: routes, Takers: func(span trace.SpanID) []*spans.Span { return takers[SpanRef{id, span}] }}
	}
}

// MarkWaiting finds the spans that sent a message which nothing has consumed by now, or not
// in each queue in which it should have come out.
func (t *Tree) MarkWaiting(now time.Time, other Elsewhere) {
	waits := t.waits(other)

	for _, n := range t.Order {
		if in, waits := waits(n.Span); waits {
			n.Waiting = NewWaiting(n.Span, now, in)
		}
	}
}

// waits returns what says whether the message of a span waits, and where.
func (t *Tree) waits(other Elsewhere) func(*spans.Span) (in []string, waits bool) {
	if other.Waits != nil {
		return func(s *spans.Span) ([]string, bool) { return other.Waits(s.SpanID) }
	}

	takers := make(Takers)
	for _, n := range t.Order {
		takers.Add(n.Span)
	}

	return func(s *spans.Span) ([]string, bool) {
		by := takers[SpanRef{s.TraceID, s.SpanID}]
		if other.Takers != nil {
			by = append(slices.Clip(by), other.Takers(s.SpanID)...)
		}

		return other.Routes.WaitsIn(s, by)
	}
}

// Waiting is how many messages of the trace nothing has consumed, as MarkWaiting has
// found, and since when the first of them waits.
func (t *Tree) Waiting() (count int, since time.Time) {
	return t.unconsumed(func(w *Waiting) bool { return !w.Scheduled() })
}

// Scheduled is how many messages of the trace are not due yet, and when the first of them is.
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
