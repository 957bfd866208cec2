package tree

import "github.com/mqtrace/mqtrace/internal/traceview/messaging"

// delivery distinguishes the messages of one producer span: one exchange may feed
// several queues, and each queue may try its copy several times.
type delivery struct {
	producer                           *Node
	service, queue, whole, id, spanned string
}

func deliveryOf(producer, n *Node) delivery {
	d := delivery{
		producer: producer, service: n.Span.Service, id: messaging.MessageID(n.Span),
		queue: messaging.DestinationOf(n.Span).Queue, whole: messaging.RawDestination(n.Span),
	}
	if d.queue == "" {
		d.spanned = n.Span.Name
	}

	return d
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
