package page

import (
	"time"

	"github.com/mqtrace/mqtrace/internal/traceview/textfmt"
	"github.com/mqtrace/mqtrace/internal/traceview/tree"
)

// waterfall is a trace as the page draws it, with the same waits, attempts, errors and
// links as on a terminal. Times are in nanoseconds from the start of the trace.
type waterfall struct {
	tree.Summary

	// Colors are the services that the store knows. The position of a service among them
	// determines its colour.
	Colors []string `json:"colors"`
	// Lanes are the lanes that rows refer to by number, from 1.
	Lanes []lane         `json:"lanes"`
	Rows  []waterfallRow `json:"rows"`
}

// waterfallRow is a span under its parent or, with Missing, the placeholder of a parent
// that is missing. Rows are in display order.
type waterfallRow struct {
	ID      string `json:"id"`
	Missing bool   `json:"missing,omitempty"`
	Depth   int    `json:"depth"`
	Lane    int    `json:"lane,omitempty"`

	Name    string `json:"name,omitempty"`
	Service string `json:"service,omitempty"`
	Kind    string `json:"kind,omitempty"`
	// Start is null if the span has none, Duration if it has no end.
	Start    *time.Duration `json:"start"`
	Duration *time.Duration `json:"duration"`
	Wait     *waterfallWait `json:"wait,omitempty"`

	Badges []badge    `json:"badges,omitempty"`
	Failed bool       `json:"failed,omitempty"`
	Error  string     `json:"error,omitempty"`
	Notes  []string   `json:"notes,omitempty"`
	Links  []spanLink `json:"links,omitempty"`
	// MoreLinks counts the links that are not in Links.
	MoreLinks int `json:"moreLinks,omitempty"`
}

type waterfallWait struct {
	Start    time.Duration `json:"start"`
	Duration time.Duration `json:"duration"`
	// Took is the duration as text, which shows whether it is exact.
	Took string `json:"took"`
	Text string `json:"text"`
}

// maxRowLinks is how many links of a span a row shows; the span's details show more.
const maxRowLinks = 4

const maxMessageBytes = 1000

type waterfallBuilder struct {
	waterfall

	start time.Time
	links *linkFinder
}

// newWaterfall lays out the trace of the link finder.
func newWaterfall(links *linkFinder) waterfall {
	b := newWaterfallBuilder(links)
	b.Summary = links.tree.Summarize()
	b.Colors = links.store.Services()
	b.Rows = make([]waterfallRow, 0, len(links.tree.Order))

	for _, root := range links.tree.Roots {
		b.add(root, 0, 0)
	}

	return b.waterfall
}

func newWaterfallBuilder(links *linkFinder) *waterfallBuilder {
	start, _ := links.trace.Bounds()

	return &waterfallBuilder{waterfall: waterfall{Lanes: []lane{}}, start: start, links: links}
}

// add appends the rows of a node and of everything under it.
func (b *waterfallBuilder) add(n *tree.Node, depth, inLane int) {
	if l, ok := newLane(n, b.start); ok {
		b.Lanes = append(b.Lanes, l)
		inLane = len(b.Lanes)
	}

	if n.Span == nil {
		b.Rows = append(b.Rows, waterfallRow{ID: n.ID, Missing: true, Depth: depth})
	} else {
		r := b.row(n, maxRowLinks)
		r.Depth, r.Lane = depth, inLane
		b.Rows = append(b.Rows, r)
	}

	for _, child := range n.Children {
		b.add(child, depth+1, inLane)
	}
}

// row returns the row of a node's span, with at most the given number of its links.
func (b *waterfallBuilder) row(n *tree.Node, maxLinks int) waterfallRow {
	s := n.Span
	r := waterfallRow{
		ID: n.ID, Name: tree.SpanName(s), Service: textfmt.Printable(s.Service, tree.MaxName), Kind: tree.Kind(s.Kind),
		Badges: badges(n), Failed: s.Failed(), Notes: n.Notes(),
	}

	if !s.Start.IsZero() {
		at := s.Start.Sub(b.start)
		r.Start = &at

		if !s.End.IsZero() {
			took := s.Duration()
			r.Duration = &took
		}
	}

	if n.Wait != nil {
		r.Wait = &waterfallWait{
			Start: n.Wait.From.Sub(b.start), Duration: n.Wait.Duration(), Took: n.Wait.Took(), Text: n.Wait.Text(n, tree.MaxName),
		}
	}

	if r.Failed {
		r.Error = textfmt.Printable(tree.ErrorText(s), maxMessageBytes)
	}

	r.Links = b.links.of(n, maxLinks)
	r.MoreLinks = b.links.count(n) - len(r.Links)

	return r
}
