package traceview

import (
	"go.opentelemetry.io/otel/trace"
)

// spanLink is a link as the page shows it, from the side of one of its ends.
type spanLink struct {
	// In: the span at the other end links to this one.
	In    bool   `json:"in,omitempty"`
	Trace string `json:"trace"`
	Span  string `json:"span"`
	// Name and Service are those of the other end, where it is here.
	Name    string `json:"name,omitempty"`
	Service string `json:"service,omitempty"`
	Here    bool   `json:"here"`

	Attributes []shownAttribute `json:"attributes,omitempty"`
}

// linkFinder knows both ends of the links of a trace.
type linkFinder struct {
	trace Trace
	tree  *tree
	store *Store
	// others has the spans of other traces, once a link to one of them was seen.
	others map[trace.TraceID]map[trace.SpanID]*Span
	in     map[trace.SpanID][]*Span
}

// newLinkFinder makes one for a trace that is in the store.
func newLinkFinder(tr Trace, store *Store) *linkFinder {
	f := &linkFinder{
		trace: tr, tree: newTree(tr), store: store,
		others: make(map[trace.TraceID]map[trace.SpanID]*Span), in: make(map[trace.SpanID][]*Span),
	}

	for _, n := range f.tree.order {
		for _, link := range n.newLinks() {
			if link.TraceID == tr.ID {
				f.addIn(link, n.span)
			}
		}
	}

	for _, source := range store.Linking(tr.ID) {
		for i := range source.Spans {
			s := &source.Spans[i]
			for j := range s.Links {
				if s.Links[j].TraceID == tr.ID {
					f.addIn(&s.Links[j], s)
				}
			}
		}
	}

	return f
}

// addIn notes that a span links to one of the trace, once however often it does.
func (f *linkFinder) addIn(link *Link, from *Span) {
	known := f.in[link.SpanID]
	if n := len(known); n == 0 || known[n-1] != from {
		f.in[link.SpanID] = append(known, from)
	}
}

// count is the number of links from the node's span and to it.
func (f *linkFinder) count(n *node) int { return len(n.newLinks()) + len(f.in[n.span.SpanID]) }

// of returns the links from the node's span, and then those to it, limit at most.
func (f *linkFinder) of(n *node, limit int) []spanLink {
	var out []spanLink

	for _, link := range n.newLinks() {
		if len(out) == limit {
			return out
		}

		l := spanLink{Trace: link.TraceID.String(), Span: link.SpanID.String(), Attributes: showAttributes(link.Attributes)}
		if s := f.span(link.TraceID, link.SpanID); s != nil {
			l.Name, l.Service, l.Here = spanName(s), printable(s.Service, maxNameText), true
		}

		out = append(out, l)
	}

	for _, s := range f.in[n.span.SpanID] {
		if len(out) == limit {
			return out
		}

		out = append(out, spanLink{
			In: true, Trace: s.TraceID.String(), Span: s.SpanID.String(),
			Name: spanName(s), Service: printable(s.Service, maxNameText), Here: true,
		})
	}

	return out
}

// span returns a span of this trace or of another, nil where it is not here.
func (f *linkFinder) span(traceID trace.TraceID, spanID trace.SpanID) *Span {
	if traceID == f.trace.ID {
		if n := f.tree.nodes[spanID]; n != nil {
			return n.span
		}

		return nil
	}

	spans, ok := f.others[traceID]
	if !ok {
		spans = make(map[trace.SpanID]*Span)

		tr, _ := f.store.Trace(traceID)
		for i := range tr.Spans {
			spans[tr.Spans[i].SpanID] = &tr.Spans[i]
		}

		f.others[traceID] = spans
	}

	return spans[spanID]
}
