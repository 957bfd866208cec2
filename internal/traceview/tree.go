package traceview

import (
	"cmp"
	"slices"
	"time"

	"go.opentelemetry.io/otel/trace"
)

// node is a span, or the place of one that is missing, in the tree of a trace.
type node struct {
	span     *Span // nil for a parent that is not here
	missing  trace.SpanID
	parent   *node
	children []*node
	// loop: the chain of the span's parents comes back to it.
	loop bool
	// last is lastEnd's answer, once it was asked.
	last time.Time
	// wait is the time before the span that its message spent in a queue.
	wait *wait
	// attempt counts from 1; 0 where the span is no attempt at anything.
	attempt int
	// attempts is how many spans here processed the same message from the same queue.
	attempts int
}

// tree is a trace laid out by parents, in the order of start times.
type tree struct {
	roots []*node
	nodes map[trace.SpanID]*node
	order []*node // every span, by start time
}

// newTree lays out the trace. Each span has one place in it, whatever the ids
// and times that were received.
func newTree(tr Trace) *tree {
	t := &tree{nodes: make(map[trace.SpanID]*node, len(tr.Spans))}

	for i := range tr.Spans {
		span := &tr.Spans[i]
		if _, ok := t.nodes[span.SpanID]; ok {
			continue
		}

		n := &node{span: span}
		t.nodes[span.SpanID] = n
		t.order = append(t.order, n)
	}

	slices.SortStableFunc(t.order, func(a, b *node) int { return byStart(a.span, b.span) })

	t.cutLoops()
	t.adopt()
	assignWaits(t)

	return t
}

// byStart puts spans without a start time last, and a span before one that
// starts at the same time and ends earlier.
func byStart(a, b *Span) int {
	if a.Start.IsZero() != b.Start.IsZero() {
		if a.Start.IsZero() {
			return 1
		}

		return -1
	}

	return cmp.Or(a.Start.Compare(b.Start), b.End.Compare(a.End))
}

// cutLoops finds the spans whose parents lead back to them, and marks the
// earliest of each loop as the place to cut it.
func (t *tree) cutLoops() {
	const (
		unseen = iota
		onPath
		done
	)

	state := make(map[*node]int, len(t.order))

	for _, start := range t.order {
		var path []*node

		n := start
		for n != nil && state[n] == unseen {
			state[n] = onPath
			path = append(path, n)
			n = t.nodes[n.span.ParentID]
		}

		if n != nil && state[n] == onPath {
			loop := path[slices.Index(path, n):]
			slices.MinFunc(loop, func(a, b *node) int { return byStart(a.span, b.span) }).loop = true
		}

		for _, n := range path {
			state[n] = done
		}
	}
}

// adopt gives each span to its parent. Spans whose parent is not here stand
// together under a node in its place.
func (t *tree) adopt() {
	absent := make(map[trace.SpanID]*node)

	for _, n := range t.order {
		id := n.span.ParentID

		switch parent := t.nodes[id]; {
		case !id.IsValid() || n.loop:
			t.roots = append(t.roots, n)
		case parent != nil:
			n.parent = parent
			parent.children = append(parent.children, n)
		default:
			if absent[id] == nil {
				absent[id] = &node{missing: id}
				t.roots = append(t.roots, absent[id])
			}

			n.parent = absent[id]
			absent[id].children = append(absent[id].children, n)
		}
	}
}
