package page

import (
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/mqtrace/mqtrace/internal/traceview/spans"
	"github.com/mqtrace/mqtrace/internal/traceview/store"
	"github.com/mqtrace/mqtrace/internal/traceview/textfmt"
	"github.com/mqtrace/mqtrace/internal/traceview/tree"
)

// spanLink is a link as the page shows it, from the side of one of its ends.
type spanLink struct {
	// In reports whether the link leads to this span, from the span at the other end.
	In    bool   `json:"in,omitempty"`
	Trace string `json:"trace"`
	Span  string `json:"span"`
	// Name and Service describe the span at the other end, if it was received.
	Name    string `json:"name,omitempty"`
	Service string `json:"service,omitempty"`
	Here    bool   `json:"here"`

	Attributes []shownAttribute `json:"attributes,omitempty"`
}

// linkFinder knows both ends of the links of a trace.
type linkFinder struct {
	trace spans.Trace
	tree  *tree.Tree
	store *store.Store
	// others has the spans of other traces, filled in when a link to one is seen.
	others map[trace.TraceID]map[trace.SpanID]*spans.Span
	in     map[trace.SpanID][]*spans.Span
}

// newLinkFinder returns a linkFinder for a trace in the store.
func newLinkFinder(tr spans.Trace, kept *store.Store, routes *tree.Routes) *linkFinder {
	f := &linkFinder{
		trace: tr, tree: tree.New(tr), store: kept,
		others: make(map[trace.TraceID]map[trace.SpanID]*spans.Span), in: make(map[trace.SpanID][]*spans.Span),
	}

	for _, n := range f.tree.Order {
		for _, link := range n.Links() {
			if link.TraceID == tr.ID {
				f.addIn(link, n.Span)
			}
		}
	}

	for _, source := range kept.Linking(tr.ID) {
		for i := range source.Spans {
			s := &source.Spans[i]
			for j := range s.Links {
				if s.Links[j].TraceID == tr.ID {
					f.addIn(&s.Links[j], s)
				}
			}
		}
	}

	markWaiting(f.tree, kept, routes)

	return f
}

// newTree lays out a trace, taking into account which of its messages other traces have
// consumed.
func newTree(tr spans.Trace, kept *store.Store, routes *tree.Routes) *tree.Tree {
	t := tree.New(tr)
	markWaiting(t, kept, routes)

	return t
}

func markWaiting(t *tree.Tree, kept *store.Store, routes *tree.Routes) {
	takers := tree.TakersIn(kept.Linking(t.Trace.ID))

	t.MarkWaiting(time.Now(), tree.Elsewhere{
		Takers: func(id trace.SpanID) []*spans.Span { return takers[tree.SpanRef{TraceID: t.Trace.ID, SpanID: id}] },
		Routes: routes,
	})
}

// addIn records that a span links to a span of the trace, once, however many such links it
// has.
func (f *linkFinder) addIn(link *spans.Link, from *spans.Span) {
	known := f.in[link.SpanID]
	if n := len(known); n == 0 || known[n-1] != from {
		f.in[link.SpanID] = append(known, from)
	}
}

// count returns the number of links from and to the node's span.
func (f *linkFinder) count(n *tree.Node) int { return len(n.Links()) + len(f.in[n.Span.SpanID]) }

// of returns the links from the node's span, then those to it, at most limit in all.
func (f *linkFinder) of(n *tree.Node, limit int) []spanLink {
	var out []spanLink

	for _, link := range n.Links() {
		if len(out) == limit {
			return out
		}

		l := spanLink{Trace: link.TraceID.String(), Span: link.SpanID.String(), Attributes: showAttributes(link.Attributes)}
		if s := f.span(link.TraceID, link.SpanID); s != nil {
			l.Name, l.Service, l.Here = tree.SpanName(s), textfmt.Printable(s.Service, tree.MaxName), true
		}

		out = append(out, l)
	}

	for _, s := range f.in[n.Span.SpanID] {
		if len(out) == limit {
			return out
		}

		out = append(out, spanLink{
			In: true, Trace: s.TraceID.String(), Span: s.SpanID.String(),
			Name: tree.SpanName(s), Service: textfmt.Printable(s.Service, tree.MaxName), Here: true,
		})
	}

	return out
}

// span returns a span of this or another trace, or nil if it is missing.
func (f *linkFinder) span(traceID trace.TraceID, spanID trace.SpanID) *spans.Span {
	if traceID == f.trace.ID {
		if n := f.tree.Find(spanID); n != nil {
			return n.Span
		}

		return nil
	}

	others, ok := f.others[traceID]
	if !ok {
		others = make(map[trace.SpanID]*spans.Span)

		tr, _ := f.store.Trace(traceID)
		for i := range tr.Spans {
			others[tr.Spans[i].SpanID] = &tr.Spans[i]
		}

		f.others[traceID] = others
	}

	return others[spanID]
}
