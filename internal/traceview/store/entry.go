package store

import (
	"slices"

	"go.opentelemetry.io/otel/trace"

	"github.com/mqtrace/mqtrace/internal/traceview/spans"
)

// entry is a trace in the store.
type entry struct {
	id      trace.TraceID
	spans   []spans.Span                  // snapshots share its array, so its elements never change
	known   map[trace.SpanID][]int        // where in spans
	shared  map[*spans.Attribute]struct{} // resources and scopes already counted in bytes
	targets map[trace.TraceID]struct{}    // linked to by spans
	bytes   int
	dropped int
	version uint64
	seen    bool // a snapshot shares the spans
}

// entrySize is the memory of a trace without its spans, and indexSize the memory of a span
// in the trace's index, both rounded up.
const (
	entrySize = 512
	indexSize = 32
)

// sizeWith estimates by how much the span makes the entry grow. The resource and the scope
// count once per trace, because the spans of a request share them.
func (e *entry) sizeWith(span *spans.Span) int {
	size := span.Size() + indexSize
	if !e.shares(span.Resource.Attributes) {
		size += span.Resource.Size()
	}

	for i := range span.Links {
		target := span.Links[i].TraceID
		if _, known := e.targets[target]; !known && target != span.TraceID {
			size += linkIndexSize
		}
	}

	if !e.shares(span.Scope.Attributes) {
		size += span.Scope.Size()
	}

	return size
}

func (e *entry) shares(a spans.Attributes) bool {
	if len(a) == 0 {
		return false
	}

	_, ok := e.shared[&a[0]]

	return ok
}

func (e *entry) append(span *spans.Span, size int) {
	e.spans = append(e.spans, *span)
	e.known[span.SpanID] = append(e.known[span.SpanID], len(e.spans)-1)
	e.note(span, size)
}

// earlier finds the span that another span with the same id repeats or completes, and
// returns which of the two it is. at is -1 if there is none.
func (e *entry) earlier(span *spans.Span) (at int, same spans.Sameness) {
	for _, i := range spans.Last(e.known[span.SpanID]) {
		if same := spans.Compare(&e.spans[i], span); same != spans.Different {
			return i, same
		}
	}

	return -1, spans.Different
}

// replace replaces an earlier span. Snapshots keep the old one.
func (e *entry) replace(at int, span *spans.Span, grown int) {
	if e.seen {
		e.spans, e.seen = slices.Clone(e.spans), false
	}

	e.spans[at] = *span
	e.note(span, grown)
}

// note records by how much a span made the entry grow, and what it shares with later spans.
func (e *entry) note(span *spans.Span, grown int) {
	e.bytes += grown
	e.version++

	for _, a := range []spans.Attributes{span.Resource.Attributes, span.Scope.Attributes} {
		if len(a) > 0 {
			e.shared[&a[0]] = struct{}{}
		}
	}

	for i := range span.Links {
		if target := span.Links[i].TraceID; target != e.id {
			if e.targets == nil {
				e.targets = make(map[trace.TraceID]struct{})
			}

			e.targets[target] = struct{}{}
		}
	}
}

func (e *entry) snapshot() spans.Trace {
	n := len(e.spans)
	e.seen = true

	return spans.Trace{ID: e.id, Spans: e.spans[:n:n], Dropped: e.dropped, Version: e.version}
}
