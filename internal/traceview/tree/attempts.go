package tree

import (
	"github.com/mqtrace/mqtrace/internal/traceview/messaging"
	"github.com/mqtrace/mqtrace/internal/traceview/spans"
)

// delivery distinguishes the messages of one producer span: one exchange may feed
// several queues, and each queue may try its copy several times.
type delivery struct {
	producer                           *Node
	service, queue, whole, id, spanned string
	// instance is the program that has the queue, if the queue's name is not known.
	instance string
	// scope is the instrumentation: a library and a framework above it may both have a span
	// for each attempt.
	scope string
}

func deliveryOf(producer, n *Node) delivery {
	d := delivery{
		producer: producer, service: n.Span.Service, id: messaging.MessageID(n.Span), scope: n.Span.Scope.Name,
		queue: messaging.DestinationOf(n.Span).Queue, whole: messaging.RawDestination(n.Span),
	}

	// The span's name may contain the queue, even though no attribute does.
	if d.queue == "" || messaging.Generated(d.queue) {
		d.spanned, d.instance = n.Span.Name, instanceOf(n.Span)
	}

	return d
}

// instanceOf distinguishes the programs of one service.
func instanceOf(s *spans.Span) string {
	for _, key := range []string{"service.instance.id", "k8s.pod.name", "container.id", "host.name"} {
		if name := s.Resource.Attributes.Text(key); name != "" {
			return name
		}
	}

	return ""
}

// views are the spans for one message in one queue: the nodes of the first instrumentation,
// and for each of the others how many it has.
type views struct {
	scope string
	first []*Node
	count map[string]int
}

// shown returns the node that already shows the delivery that n shows, for another
// instrumentation of the same service, or nil if there is none.
func (t *Tree) shown(producer, n *Node, all map[delivery]*views) *Node {
	key := deliveryOf(producer, n)
	if key.queue == "" || messaging.Generated(key.queue) || messaging.Attempt(n.Span) > 0 {
		return nil
	}

	scope := key.scope
	key.whole, key.scope = "", ""

	v := all[key]
	if v == nil {
		v = &views{scope: scope, count: make(map[string]int)}
		all[key] = v
	}

	if scope == v.scope {
		v.first = append(v.first, n)

		return nil
	}

	at := v.count[scope]
	v.count[scope]++

	if at < len(v.first) {
		return v.first[at]
	}

	return nil
}

// around returns the span that n is a part of, if that is about the same message: a handler
// has a span within the one for its delivery.
func (t *Tree) around(n *Node) *Node {
	p := n.Parent
	if messaging.Attempt(n.Span) > 0 || p == nil || p.Span == nil || p.Span.Service != n.Span.Service || messaging.OperationOf(p.Span) != messaging.Process {
		return nil
	}

	if !p.Span.End.IsZero() && !n.Span.Start.Before(p.Span.End) {
		return nil
	}

	if queue := messaging.DestinationOf(n.Span).Queue; messaging.RawDestination(n.Span) != "" && queue != messaging.DestinationOf(p.Span).Queue {
		return nil
	}

	producer, own := t.ProducerOf(n), len(n.Span.Links) > 0

	switch {
	case own && p.isBatch():
	case own && len(p.Span.Links) == 0 && len(p.Views) > 0 && !sameLink(p.Views[0], n):
		return nil // another message of a batch that is not known as one
	case producer == nil || producer == t.ProducerOf(p):
		return p
	case t.ProducerOf(p) != nil:
		return nil
	}

	// The span that received the messages is not another delivery of them.
	if messaging.Asks(p.Span) && p.ShownBy == nil {
		p.ShownBy = n
	}

	return nil
}

func sameLink(a, b *Node) bool {
	return len(a.Span.Links) == 0 || a.Span.Links[0].TraceID == b.Span.Links[0].TraceID && a.Span.Links[0].SpanID == b.Span.Links[0].SpanID
}

// isBatch reports whether the span is about several messages. It caches the result, because
// a span may have very many links.
func (n *Node) isBatch() bool {
	if n.counted {
		return n.batch
	}

	n.counted, n.batch = true, messaging.Messages(n.Span) > 1

	links := n.Span.Links
	for i := 0; i < len(links) && !n.batch; i++ {
		n.batch = links[i].TraceID != links[0].TraceID || links[i].SpanID != links[0].SpanID
	}

	return n.batch
}

// number numbers the attempts at one message. An attempt without a number gets the number
// of its position.
func (t *Tree) number(attempts []*Node) {
	n := attempts[len(attempts)-1]
	if len(attempts) == 1 {
		n.Attempts = 1

		return
	}

	if n.Attempt == 0 {
		n.Attempt = attempts[len(attempts)-2].Attempt + 1
	}

	if first := attempts[0]; first.Attempt == 0 {
		first.Attempt = 1
		n.Attempt = max(n.Attempt, 2)
	}

	// It matters only that there are others, not how many: counting them each time would
	// take quadratic time.
	attempts[0].Attempts, n.Attempts = len(attempts), len(attempts)
}
