package traceview

import "go.opentelemetry.io/otel/trace"

// entry is a trace in the store.
type entry struct {
	id      trace.TraceID
	spans   []Span // only ever appended to: snapshots share its array
	known   map[trace.SpanID]struct{}
	shared  map[*Attribute]struct{} // resources and scopes already in bytes
	bytes   int
	dropped int
}

// entrySize is what a trace takes besides its spans, and indexSize what a span
// takes in the trace's index, both rounded up.
const (
	entrySize = 512
	indexSize = 32
)

// sizeWith estimates what the entry grows by with the span. The resource and
// the scope count once per trace: they are shared by the spans of a request.
func (e *entry) sizeWith(span *Span) int {
	size := span.size() + indexSize
	if !e.shares(span.Resource.Attributes) {
		size += span.Resource.size()
	}

	for i := range span.Links {
		if span.Links[i].TraceID != span.TraceID {
			size += linkIndexSize
		}
	}

	if !e.shares(span.Scope.Attributes) {
		size += span.Scope.size()
	}

	return size
}

func (e *entry) shares(a Attributes) bool {
	if len(a) == 0 {
		return false
	}

	_, ok := e.shared[&a[0]]

	return ok
}

func (e *entry) append(span *Span, size int) {
	e.spans = append(e.spans, *span)
	e.known[span.SpanID] = struct{}{}
	e.bytes += size

	for _, a := range []Attributes{span.Resource.Attributes, span.Scope.Attributes} {
		if len(a) > 0 {
			e.shared[&a[0]] = struct{}{}
		}
	}
}

func (e *entry) snapshot() Trace {
	n := len(e.spans)

	return Trace{ID: e.id, Spans: e.spans[:n:n], Dropped: e.dropped}
}
