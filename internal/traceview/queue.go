package traceview

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"go.opentelemetry.io/otel/trace"
)

// What mqtrace and OpenTelemetry's messaging conventions put on spans.
const (
	keyOperationName     = "messaging.operation.name"
	keyOperationType     = "messaging.operation.type"
	keyMessageID         = "messaging.message.id"
	keyQueueTime         = "mqtrace.queue_time"
	keyAttempt           = "mqtrace.attempt"
	keyDestination       = "messaging.destination.name"
	keyMessagingSystem   = "messaging.system"
	keySettlement        = "mqtrace.settlement"
	keyPublishOutcome    = "mqtrace.publish.outcome"
	keyDeadLetterCount   = "mqtrace.dead_letter.count"
	keyDeadLetterQueues  = "mqtrace.dead_letter.queues"
	keyDeadLetterReasons = "mqtrace.dead_letter.reasons"
	keyTaskRetryCount    = "asynq.task.retry_count"
	keyTaskOutcome       = "asynq.task.outcome"
)

// wait is the time between a message being sent, or last tried, and its being
// processed.
type wait struct {
	from, to time.Time
	// retry: the message had been processed before, and failed.
	retry bool
	// producer sent the message; nil where it is not in this trace.
	producer *node
	// deadLetter: why the message was given up where it was before, if it was.
	deadLetter string
	queue      string
}

func (w *wait) duration() time.Duration { return max(0, w.to.Sub(w.from)) }

// text says what the wait before the span of n was for. Names in it are cut after
// limit bytes.
func (w *wait) text(n *node, limit int) string {
	text := "waited"
	if w.queue != "" {
		text += " in " + printable(w.queue, limit)
	}

	switch {
	case w.retry:
		return "retried after"
	case w.deadLetter != "":
		return "dead-lettered (" + printable(w.deadLetter, limit) + "), " + text
	case w.producer != nil && w.producer != n.parent:
		return text + " since " + printable(w.producer.span.Name, limit)
	default:
		return text
	}
}

// delivery tells the messages of one producer span apart: one exchange may feed
// several queues, and each queue may try its copy several times.
type delivery struct {
	producer               *node
	service, name, message string
}

// assignWaits finds the wait before each span that processed a message, and
// which attempt it was.
func assignWaits(t *tree) {
	attempts := make(map[delivery][]*node)
	consumers, byEnd := t.consumers()

	for _, n := range consumers { // by start time, so that attempts are in order
		n.attempt = recordedAttempt(n.span)

		producer := t.producerOf(n)
		if producer == nil {
			n.wait = recordedWait(n.span)

			continue
		}

		key := delivery{producer, n.span.Service, n.span.Name, n.span.Attributes.Text(keyMessageID)}
		n.wait = waitAfter(producer, n, attempts[key], byEnd[producer])
		attempts[key] = append(attempts[key], n)
	}

	for _, nodes := range attempts {
		for i, n := range nodes {
			n.attempts = len(nodes)
			if n.attempt == 0 && len(nodes) > 1 {
				n.attempt = i + 1
			}
		}
	}
}

// consumers returns the nodes that processed a message at a known time, by start
// time, and the same by the node that sent the message and by end time.
func (t *tree) consumers() (all []*node, byEnd map[*node][]*node) {
	byEnd = make(map[*node][]*node)

	for _, n := range t.order {
		if n.span.Kind != trace.SpanKindConsumer || n.span.Start.IsZero() {
			continue
		}

		all = append(all, n)

		if producer := t.producerOf(n); producer != nil {
			byEnd[producer] = append(byEnd[producer], n)
		}
	}

	for _, nodes := range byEnd {
		slices.SortStableFunc(nodes, func(a, b *node) int { return a.span.End.Compare(b.span.End) })
	}

	return all, byEnd
}

// waitAfter measures the wait of n: from the end of the attempt before, else
// from the end of the processing that gave the message up, else from its being
// sent.
func waitAfter(producer, n *node, attempts, byEnd []*node) *wait {
	w := &wait{from: producer.span.End, to: n.span.Start, producer: producer, queue: destination(n.span)}
	if w.from.IsZero() || w.from.After(w.to) {
		// Processed before the publisher had its confirmation.
		w.from = w.to
	}

	if len(attempts) > 0 {
		if last := attempts[len(attempts)-1].span; !last.End.IsZero() && !last.End.After(w.to) {
			w.from, w.retry = last.End, true

			return w
		}
	}

	if count, _ := n.span.Attributes.Number(keyDeadLetterCount); count > 0 {
		w.deadLetter = cmp.Or(firstText(n.span, keyDeadLetterReasons), "for no known reason")

		if end := lastEndBefore(n, byEnd); end.After(w.from) {
			w.from = end
		}
	}

	return w
}

// lastEndBefore is when the last of the other nodes ended that had ended when n
// started. A trace may have as many of them as it has spans.
func lastEndBefore(n *node, byEnd []*node) time.Time {
	i, _ := slices.BinarySearchFunc(byEnd, n.span.Start, func(c *node, start time.Time) int {
		if c.span.End.After(start) {
			return 1
		}

		return -1
	})

	for i--; i >= 0; i-- {
		if byEnd[i] != n {
			return byEnd[i].span.End
		}
	}

	return time.Time{}
}

// producerOf returns the span that sent the message n processed: its parent, or
// the one span it links to. A span that links to several processed a batch, which
// has no one wait.
func (t *tree) producerOf(n *node) *node {
	if n.parent != nil && n.parent.span != nil && sends(n.parent.span) {
		return n.parent
	}

	links := n.span.Links
	for i := range links {
		if links[i].TraceID != links[0].TraceID || links[i].SpanID != links[0].SpanID {
			return nil
		}
	}

	if len(links) == 0 || links[0].TraceID != n.span.TraceID {
		return nil
	}

	if target := t.nodes[links[0].SpanID]; target != nil && target != n && sends(target.span) {
		return target
	}

	return nil
}

func sends(s *Span) bool {
	if s.Kind == trace.SpanKindProducer {
		return true
	}

	operation := s.Attributes.Text(keyOperationType)

	return operation == "send" || operation == "create" || operation == "publish"
}

// recordedWait is the wait as the consumer itself knows it, where the span that
// sent the message is not in this trace.
func recordedWait(s *Span) *wait {
	const longest = 100 * 365 * 24 * 3600

	seconds, ok := s.Attributes.Number(keyQueueTime)
	if !ok || seconds <= 0 || seconds > longest {
		return nil
	}

	ago := time.Duration(seconds * float64(time.Second))

	return &wait{from: s.Start.Add(-ago), to: s.Start, queue: destination(s)}
}

func recordedAttempt(s *Span) int {
	const most = 1 << 30

	if n, ok := s.Attributes.Number(keyAttempt); ok && n >= 1 && n < most {
		return int(n)
	}

	if n, ok := s.Attributes.Number(keyTaskRetryCount); ok && n >= 0 && n < most {
		return int(n) + 1
	}

	return 0
}

// destination is what follows the operation in a span name such as
// "process orders" or "publish orders".
func destination(s *Span) string {
	if operation := s.Attributes.Text(keyOperationName); operation != "" {
		if rest, ok := strings.CutPrefix(s.Name, operation+" "); ok {
			return rest
		}
	}

	for _, operation := range []string{"process ", "consume ", "deliver ", "receive ", "publish ", "enqueue ", "send "} {
		if rest, ok := strings.CutPrefix(s.Name, operation); ok {
			return rest
		}
	}

	return ""
}

func firstText(s *Span, key string) string {
	v, _ := s.Attributes.Get(key)
	if list, ok := v.([]any); ok && len(list) > 0 {
		v = list[0]
	}

	text, _ := v.(string)

	return text
}
