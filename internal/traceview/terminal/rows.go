package terminal

import (
	"strconv"
	"time"

	"github.com/mqtrace/mqtrace/internal/traceview/spans"
	"github.com/mqtrace/mqtrace/internal/traceview/textfmt"
	"github.com/mqtrace/mqtrace/internal/traceview/tree"
)

// row is one line of the tree before the widths of the columns are known.
type row struct {
	prefix string // the lines of the tree
	label  line
	badge  line // after the label, and never cut

	// The columns. A row without any may use the full width.
	columns        bool
	service, kind  string
	serviceStyle   style
	start, took    string
	tookStyle      style
	from, to       time.Time
	bar            string // the character of the bar
	barStyle       style
	serviceChanged bool // compared with the parent's row

	// under returns the prefix that continues the tree below the row's label.
	under string
}

type rowBuilder struct {
	tree     *tree.Tree
	rows     []row
	start    time.Time
	width    int
	keys     []string
	services map[string]style

	tee, corner, pipe, dash, blank string
	maxDepth                       int
}

// narrow is the width below which every column counts.
const narrow = 80

func buildRows(tr spans.Trace, opts Options) *rowBuilder {
	b := &rowBuilder{
		tree:     tree.New(tr),
		width:    opts.Width,
		keys:     opts.Attributes,
		services: make(map[string]style),
		tee:      "├─ ", corner: "└─ ", pipe: "│  ", dash: "┆  ", blank: "   ",
	}
	b.tree.MarkWaiting(opts.Now, opts.Elsewhere)

	if opts.Width < narrow {
		b.tee, b.corner, b.pipe, b.dash, b.blank = "├ ", "└ ", "│ ", "┆ ", "  "
	}

	// The lines of the tree leave half of the width to the labels.
	b.maxDepth = opts.Width / 2 / len([]rune(b.tee))
	b.start, _ = tr.Bounds()

	for _, n := range b.tree.Order {
		if _, ok := b.services[n.Span.Service]; !ok {
			b.services[n.Span.Service] = servicePalette[len(b.services)%len(servicePalette)]
		}
	}

	for _, root := range b.tree.Roots {
		b.add(root, "", 0, true)
	}

	return b
}

// add appends the rows of a node and of everything under it.
func (b *rowBuilder) add(n *tree.Node, prefix string, depth int, last bool) {
	connector, inner, hop := "", "", b.dash

	switch {
	case depth > b.maxDepth: // Deeper levels are drawn at the last one, and numbered.
		connector, inner, hop = b.blank, prefix, prefix+b.dash
	case depth > 0 && last:
		connector, inner, hop = b.corner, prefix+b.blank, prefix+b.dash
	case depth > 0:
		connector, inner, hop = b.tee, prefix+b.pipe, prefix+b.dash
	}

	under := inner + b.blank
	if len(n.Children) > 0 {
		under = inner + b.pipe
	}

	if n.Wait != nil {
		b.addWait(n, hop)
	}

	if n.Span == nil {
		b.addMissing(n)
	} else {
		b.addSpan(n, prefix+connector, under, depth)
	}

	for i, child := range n.Children {
		b.add(child, inner, depth+1, i == len(n.Children)-1)
	}
}

func (b *rowBuilder) addMissing(n *tree.Node) {
	b.rows = append(b.rows, row{label: line{{"◌ parent span " + n.Missing.String() + " is missing", notice}}})
}

func (b *rowBuilder) addSpan(n *tree.Node, prefix, under string, depth int) {
	s := n.Span
	r := row{
		prefix: prefix, under: under,
		label:   b.label(n, depth),
		badge:   attemptBadge(n),
		columns: true,
		service: b.service(s), serviceStyle: b.services[s.Service],
		kind:  tree.Kind(s.Kind),
		start: "?", took: "?",
		bar: "━", barStyle: b.services[s.Service],
		serviceChanged: n.Parent == nil || n.Parent.Span == nil || n.Parent.Span.Service != s.Service,
	}

	if s.Failed() {
		r.tookStyle, r.barStyle = trouble, trouble
	}

	if !s.Start.IsZero() {
		r.start = b.offset(s.Start)
		r.from, r.to = s.Start, s.Start.Add(s.Duration())
	}

	if !s.End.IsZero() && !s.Start.IsZero() {
		r.took = textfmt.FormatDuration(s.Duration())
	}

	b.rows = append(b.rows, r)
	b.addDetails(n, under)
}

func (b *rowBuilder) label(n *tree.Node, depth int) line {
	var l line

	if depth > b.maxDepth {
		l = append(l, chunk{"⋯" + strconv.Itoa(depth) + " ", faint})
	}

	nameStyle := plain
	if depth == 0 {
		nameStyle = bold
	}

	if n.Span.Failed() {
		l = append(l, chunk{"✖ ", failed})
		nameStyle = failed
	}

	l = append(l, chunk{tree.SpanName(n.Span), nameStyle})

	return l
}

// attemptBadge returns the number of the attempt, for the first one only if it failed.
func attemptBadge(n *tree.Node) line {
	if n.Attempt > 1 || n.Attempt == 1 && n.Span.Failed() {
		return line{{"attempt " + strconv.Itoa(n.Attempt), notice}}
	}

	return nil
}

func (b *rowBuilder) service(s *spans.Span) string {
	if s.Service == "" {
		return "(no service)"
	}

	return textfmt.Printable(s.Service, b.width)
}

// addWait appends the row for the time that a span's message spent in a queue before it.
func (b *rowBuilder) addWait(n *tree.Node, prefix string) {
	w := n.Wait

	b.rows = append(b.rows, row{
		prefix: prefix, under: prefix,
		label:   line{{w.Text(n, b.width), notice}},
		columns: true,
		start:   b.offset(w.From),
		took:    w.Took(), tookStyle: notice,
		from: w.From, to: w.To,
		bar: "┄", barStyle: notice,
	})
}

func (b *rowBuilder) offset(at time.Time) string {
	switch d := at.Sub(b.start); {
	case d > 0:
		return "+" + textfmt.FormatDuration(d)
	case d < 0:
		return "-" + textfmt.FormatDuration(-d)
	default:
		return "0"
	}
}

const internalKind = "internal"
