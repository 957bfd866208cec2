package traceview

import (
	"strings"
	"time"
)

// waterfall is a trace as the page draws it: what it says of waits, attempts,
// errors and links is what [WriteTree] says. Times are in nanoseconds from the
// start of the trace.
type waterfall struct {
	Summary

	// Colors are the services that the store knows: a service has the colour of its
	// place among them.
	Colors []string `json:"colors"`
	// Lanes are what the rows' lanes count into, from 1.
	Lanes []lane         `json:"lanes"`
	Rows  []waterfallRow `json:"rows"`
}

// waterfallRow is a span under its parent, or, with Missing, the place of a parent
// that is not here. Rows are in the order in which they stand.
type waterfallRow struct {
	ID      string `json:"id"`
	Missing bool   `json:"missing,omitempty"`
	Depth   int    `json:"depth"`
	Lane    int    `json:"lane,omitempty"`

	Name    string `json:"name,omitempty"`
	Service string `json:"service,omitempty"`
	Kind    string `json:"kind,omitempty"`
	// Start is null where the span has none, Duration where it has no end.
	Start    *time.Duration `json:"start"`
	Duration *time.Duration `json:"duration"`
	Wait     *waterfallWait `json:"wait,omitempty"`

	Badges []badge    `json:"badges,omitempty"`
	Failed bool       `json:"failed,omitempty"`
	Error  string     `json:"error,omitempty"`
	Notes  []string   `json:"notes,omitempty"`
	Links  []spanLink `json:"links,omitempty"`
	// MoreLinks counts those that Links has no room for.
	MoreLinks int `json:"moreLinks,omitempty"`
}

type waterfallWait struct {
	Start    time.Duration `json:"start"`
	Duration time.Duration `json:"duration"`
	Text     string        `json:"text"`
}

const (
	// maxNameText bounds the names that the page shows in a row, in bytes.
	maxNameText = 256
	// maxRowLinks is how many links of a span are rows of their own; its details
	// have more.
	maxRowLinks = 4
)

type waterfallBuilder struct {
	waterfall

	start time.Time
	links *linkFinder
}

// newWaterfall lays out the trace of the links.
func newWaterfall(links *linkFinder) waterfall {
	b := newWaterfallBuilder(links)
	b.Summary = summarize(links.trace, links.tree)
	b.Colors = links.store.Services()
	b.Rows = make([]waterfallRow, 0, len(links.tree.order))

	for _, root := range links.tree.roots {
		b.add(root, 0, 0)
	}

	return b.waterfall
}

func newWaterfallBuilder(links *linkFinder) *waterfallBuilder {
	start, _ := links.trace.Bounds()

	return &waterfallBuilder{waterfall: waterfall{Lanes: []lane{}}, start: start, links: links}
}

// add appends the rows of a node and of everything under it.
func (b *waterfallBuilder) add(n *node, depth, inLane int) {
	if l, ok := newLane(n, b.start); ok {
		b.Lanes = append(b.Lanes, l)
		inLane = len(b.Lanes)
	}

	if n.span == nil {
		b.Rows = append(b.Rows, waterfallRow{ID: n.missing.String(), Missing: true, Depth: depth})
	} else {
		r := b.row(n, maxRowLinks)
		r.Depth, r.Lane = depth, inLane
		b.Rows = append(b.Rows, r)
	}

	for _, child := range n.children {
		b.add(child, depth+1, inLane)
	}
}

// row is the row of a node's span, with so many of its links at most.
func (b *waterfallBuilder) row(n *node, maxLinks int) waterfallRow {
	s := n.span
	r := waterfallRow{
		ID: s.SpanID.String(), Name: spanName(s), Service: printable(s.Service, maxNameText), Kind: kindText(s.Kind),
		Badges: badges(n), Failed: s.Failed(), Notes: n.oddities(),
	}

	if !s.Start.IsZero() {
		at := s.Start.Sub(b.start)
		r.Start = &at

		if !s.End.IsZero() {
			took := s.Duration()
			r.Duration = &took
		}
	}

	if n.wait != nil {
		r.Wait = &waterfallWait{Start: n.wait.from.Sub(b.start), Duration: n.wait.duration(), Text: n.wait.text(n, maxNameText)}
	}

	if r.Failed {
		r.Error = printable(errorText(s), maxMessageBytes)
	}

	r.Links = b.links.of(n, maxLinks)
	r.MoreLinks = b.links.count(n) - len(r.Links)

	return r
}

// spanName is the name of a span, fit to be shown in one line.
func spanName(s *Span) string {
	if name := printable(s.Name, maxNameText); strings.TrimSpace(name) != "" {
		return name
	}

	return "(no name)"
}
