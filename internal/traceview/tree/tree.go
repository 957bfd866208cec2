// Package tree lays out a trace: each span under its parent, with the time that its message
// waited, which attempt at the message it was, and what is odd about it.
package tree

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/mqtrace/mqtrace/internal/traceview/messaging"
	"github.com/mqtrace/mqtrace/internal/traceview/spans"
)

// Node is a span, or the placeholder of a missing one, in the tree of a trace.
type Node struct {
	Span    *spans.Span // nil for a missing parent
	Missing trace.SpanID
	// ID is the span's id, with a number appended if other spans have the same id.
	ID       string
	Parent   *Node
	Children []*Node
	// Wait is the time before the span that its message spent in a queue.
	Wait *Wait
	// Attempt counts from 1; it is 0 if the span is not an attempt at anything.
	Attempt int
	// Attempts is how many spans of the trace were attempts at the same message.
	Attempts int
	// ShownBy is the node that shows the same delivery of the same message, and counts
	// instead of this one, if there is one. Views are the nodes of which that is true.
	ShownBy *Node
	Views   []*Node
	// Waiting is set by MarkWaiting if nothing has consumed the span's message.
	Waiting *Waiting

	// wraps: a span of the same service below this one sent the same message. outer is the
	// span above of which that is true.
	wraps bool
	outer *Node
	// loop: the span is its own ancestor, and the loop is cut above it.
	loop bool
	// last caches the result of LastEnd.
	last time.Time
	// producer caches the result of ProducerOf, if traced.
	producer *Node
	traced   bool
	// batch caches the result of isBatch, if counted.
	batch, counted bool
}

// Tree is a trace laid out by parents, in the order of start times.
type Tree struct {
	Trace spans.Trace
	Roots []*Node
	Order []*Node // every span, by start time

	nodes map[trace.SpanID]*namesakes
}

// namesakes are the spans with one id, by start time. The whole trace may have the same id,
// so what is looked up per span must not depend on their number.
type namesakes struct {
	all []*Node
	// inner is the one that the spans below belong to: the server's if a client's span
	// shares its id. outer is the one that sent the request, the client's; nil if there is
	// none.
	inner, outer *Node
	// senders are the first two that sent a message.
	senders []*Node
}

func (same *namesakes) add(n *Node) {
	same.all = append(same.all, n)

	switch kind := n.Span.Kind; {
	case same.inner == nil:
		same.inner = n
	case !takes(same.inner.Span.Kind) && takes(kind):
		same.inner = n
	}

	if kind := n.Span.Kind; same.outer == nil && (kind == trace.SpanKindClient || kind == trace.SpanKindProducer) {
		same.outer = n
	}

	if len(same.senders) < 2 && messaging.OperationOf(n.Span) == messaging.Send {
		same.senders = append(same.senders, n)
	}
}

func takes(kind trace.SpanKind) bool {
	return kind == trace.SpanKindServer || kind == trace.SpanKindConsumer
}

// New lays out the trace. Each span has one place in it, whatever ids and times were
// received.
func New(tr spans.Trace) *Tree {
	t := &Tree{Trace: tr, nodes: make(map[trace.SpanID]*namesakes, len(tr.Spans))}
	all := make([]Node, len(tr.Spans))

	for i := range tr.Spans {
		n := &all[i]
		n.Span = &tr.Spans[i]
		t.Order = append(t.Order, n)
	}

	slices.SortStableFunc(t.Order, func(a, b *Node) int { return byStart(a.Span, b.Span) })

	for _, n := range t.Order {
		id := n.Span.SpanID
		n.ID = id.String()

		same := t.nodes[id]
		if same == nil {
			same = &namesakes{}
			t.nodes[id] = same
		} else {
			n.ID += "." + strconv.Itoa(len(same.all)+1)
		}

		same.add(n)
	}

	t.cutLoops()
	t.adopt()
	t.assignWaits()

	return t
}

// Node returns the node with the given [Node].ID, or nil if there is none.
func (t *Tree) Node(id string) *Node {
	hex, number, _ := strings.Cut(id, ".")

	spanID, err := trace.SpanIDFromHex(strings.ToLower(hex))
	if err != nil {
		return nil
	}

	same := t.nodes[spanID]
	if same == nil {
		return nil
	}

	for _, n := range same.all {
		if number == "" || n.ID == strings.ToLower(id) {
			return n
		}
	}

	return nil
}

// Find returns the span with the given id or, of several, the one that has the others below
// it; nil if there is none.
func (t *Tree) Find(id trace.SpanID) *Node {
	if same := t.nodes[id]; same != nil {
		return same.inner
	}

	return nil
}

// First returns the span that a trace is named after: its first root or, if that has not
// arrived, its first span.
func (t *Tree) First() *spans.Span {
	for _, n := range t.Roots {
		if n.Span != nil && !n.Span.ParentID.IsValid() {
			return n.Span
		}
	}

	if len(t.Order) > 0 {
		return t.Order[0].Span
	}

	return nil
}

// byStart sorts spans by start time, those without one last. Of spans that start at the
// same time, the one that ends later comes first.
func byStart(a, b *spans.Span) int {
	if a.Start.IsZero() != b.Start.IsZero() {
		if a.Start.IsZero() {
			return 1
		}

		return -1
	}

	return cmp.Or(a.Start.Compare(b.Start), b.End.Compare(a.End))
}

// parentOf returns the node that n belongs under, or nil if n is a root or its parent is
// missing.
func (t *Tree) parentOf(n *Node) *Node {
	if same := t.nodes[n.Span.SpanID]; n == same.inner && same.outer != nil && same.outer != n {
		return same.outer
	}

	return t.Find(n.Span.ParentID)
}

// cutLoops finds spans that are their own ancestors, and marks the earliest span of each
// loop as the place to cut it.
func (t *Tree) cutLoops() {
	const (
		unseen = iota
		onPath
		done
	)

	state := make(map[*Node]int, len(t.Order))

	for _, start := range t.Order {
		var path []*Node

		n := start
		for n != nil && state[n] == unseen {
			state[n] = onPath
			path = append(path, n)
			n = t.parentOf(n)
		}

		if n != nil && state[n] == onPath {
			loop := path[slices.Index(path, n):]
			slices.MinFunc(loop, func(a, b *Node) int { return byStart(a.Span, b.Span) }).loop = true
		}

		for _, n := range path {
			state[n] = done
		}
	}
}

// adopt puts each span under its parent. Spans whose parent is missing are grouped under a
// node in its place.
func (t *Tree) adopt() {
	absent := make(map[trace.SpanID]*Node)

	for _, n := range t.Order {
		id := n.Span.ParentID
		parent := t.parentOf(n)

		switch {
		case n.loop || parent == nil && !id.IsValid():
			t.Roots = append(t.Roots, n)

			continue
		case parent == nil:
			if absent[id] == nil {
				absent[id] = &Node{Missing: id, ID: id.String()}
				t.Roots = append(t.Roots, absent[id])
			}

			parent = absent[id]
		}

		n.Parent = parent
		parent.Children = append(parent.Children, n)
		n.send()
	}
}

// LastEnd returns when the last of a node's spans ended. It caches the result, because
// lanes may be nested.
func (n *Node) LastEnd() time.Time {
	if !n.last.IsZero() {
		return n.last
	}

	if n.Span != nil {
		n.last = n.Span.Start.Add(n.Span.Duration())
	}

	for _, child := range n.Children {
		if last := child.LastEnd(); last.After(n.last) {
			n.last = last
		}
	}

	return n.last
}
