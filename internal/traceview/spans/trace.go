package spans

import (
	"time"

	"go.opentelemetry.io/otel/trace"
)

// Trace holds the spans of one trace that were received so far.
//
// A trace returned by a store is a snapshot: spans that arrive later do not show up in it,
// and any number of goroutines may read it. Its spans are shared with the store and must
// not be modified.
type Trace struct {
	ID trace.TraceID
	// Spans are in the order in which they arrived, which is about the order in
	// which they ended.
	Spans []Span
	// Dropped counts the spans of this trace that the store had no room for.
	Dropped int
	// Version changes with every change of a trace in its store.
	Version uint64
}

// Span returns the span with the given id, and whether the trace has it.
func (t Trace) Span(id trace.SpanID) (Span, bool) {
	for i := range t.Spans {
		if t.Spans[i].SpanID == id {
			return t.Spans[i], true
		}
	}

	return Span{}, false
}

// Services returns the names of the services that took part, each once, in the
// order of their first span. Spans without a service.name are left out.
func (t Trace) Services() []string {
	var names []string

	seen := make(map[string]struct{})

	for i := range t.Spans {
		name := t.Spans[i].Service
		if _, ok := seen[name]; ok || name == "" {
			continue
		}

		seen[name] = struct{}{}
		names = append(names, name)
	}

	return names
}

// Errors returns the number of spans whose status is Error.
func (t Trace) Errors() int {
	n := 0

	for i := range t.Spans {
		if t.Spans[i].Failed() {
			n++
		}
	}

	return n
}

// Bounds returns the earliest start and the latest end of the trace's spans. Both are zero
// if no span has a start.
func (t Trace) Bounds() (start, end time.Time) {
	for i := range t.Spans {
		s := &t.Spans[i]
		if s.Start.IsZero() {
			continue
		}

		if start.IsZero() || s.Start.Before(start) {
			start = s.Start
		}

		if last := s.Start.Add(s.Duration()); last.After(end) {
			end = last
		}
	}

	return start, end
}

// Duration returns the time from the start of the first span to the end of the last.
func (t Trace) Duration() time.Duration {
	start, end := t.Bounds()

	return end.Sub(start)
}
