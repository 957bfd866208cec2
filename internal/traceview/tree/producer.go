package tree

import (
	"slices"

	"github.com/mqtrace/mqtrace/internal/traceview/messaging"
)

// ProducerOf returns the span that sent the message n processed: its parent, or the one
// span it links to. A span that links to several processed a batch, which has no single
// wait. It caches the result, because a span may have very many links.
func (t *Tree) ProducerOf(n *Node) *Node {
	if !n.traced {
		n.producer, n.traced = t.producerOf(n), true
	}

	return n.producer
}

func (t *Tree) producerOf(n *Node) *Node {
	if p := n.Parent; p != nil && p.Span != nil && messaging.OperationOf(p.Span) == messaging.Send {
		return p
	}

	links := n.Span.Links
	for i := range links {
		if links[i].TraceID != links[0].TraceID || links[i].SpanID != links[0].SpanID {
			return nil
		}
	}

	if len(links) == 0 || links[0].TraceID != n.Span.TraceID {
		return nil
	}

	same := t.nodes[links[0].SpanID]
	if same == nil {
		return nil
	}

	for _, sender := range same.senders {
		if sender != n {
			return sender
		}
	}

	return nil
}

// consumers returns the nodes that processed a message at a known time, by start time, and
// the same nodes by the node that sent the message and by end time.
func (t *Tree) consumers() (all []*Node, byEnd map[*Node][]*Node) {
	byEnd = make(map[*Node][]*Node)

	for _, n := range t.Order {
		if n.Span.Start.IsZero() || messaging.OperationOf(n.Span) != messaging.Process {
			continue
		}

		all = append(all, n)

		if producer := t.ProducerOf(n); producer != nil {
			byEnd[producer] = append(byEnd[producer], n)
		}
	}

	for _, nodes := range byEnd {
		slices.SortStableFunc(nodes, func(a, b *Node) int { return a.Span.End.Compare(b.Span.End) })
	}

	return all, byEnd
}
