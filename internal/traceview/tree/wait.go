package tree

import (
	"cmp"
	"slices"
	"time"

	"github.com/mqtrace/mqtrace/internal/traceview/messaging"
	"github.com/mqtrace/mqtrace/internal/traceview/spans"
	"github.com/mqtrace/mqtrace/internal/traceview/textfmt"
)

// Wait is the time between a message being sent, or last tried, and its being
// processed.
type Wait struct {
	From, To time.Time
	// UpTo: the message may have arrived in the queue later than From.
	UpTo bool
	// Whole: the time is only known to the second.
	Whole bool
	// Due: the message was to be processed later, and was due at From.
	Due bool
	// Retry: the message had been processed before, and failed.
	Retry bool
	// Producer sent the message. It is nil if it is not in this trace.
	Producer *Node
	// DeadLetter: why the message was dead-lettered from its previous queue, if it was.
	DeadLetter string
	Queue      string
}

// Duration returns how long the message waited or, with UpTo, at most.
func (w *Wait) Duration() time.Duration { return max(0, w.To.Sub(w.From)) }

// Took returns the duration as text: "up to 6.60ms" if the message may have arrived later,
// "about 2s" if its time is only known to the second.
func (w *Wait) Took() string {
	d := w.Duration()

	switch {
	case w.Whole && d < time.Second:
		return "under 1s"
	case w.Whole && d < time.Minute:
		return "about " + textfmt.FormatSeconds(d)
	case w.Whole:
		return "about " + textfmt.FormatDuration(d.Round(time.Second))
	case w.UpTo && d > 0:
		return "up to " + textfmt.FormatDuration(d)
	default:
		return textfmt.FormatDuration(d)
	}
}

// Text returns what the wait before the span of n was for. Names in it are cut after limit
// bytes.
func (w *Wait) Text(n *Node, limit int) string {
	waited := "waited"
	if w.Queue != "" {
		waited += " in " + textfmt.Printable(w.Queue, limit)
	}

	switch {
	case w.Retry:
		return "retried after"
	case w.DeadLetter != "":
		return "dead-lettered (" + textfmt.Printable(w.DeadLetter, limit) + "), " + waited
	case w.Due:
		return waited + " since it was due"
	case w.Producer != nil && w.Producer != n.Parent:
		return waited + " since " + textfmt.Printable(w.Producer.Span.Name, limit)
	default:
		return waited
	}
}

// Waited returns the total time that messages spent waiting, and whether part of it is an
// upper bound.
func (t *Tree) Waited() (sum time.Duration, upTo bool) {
	for _, n := range t.Order {
		if n.Wait != nil {
			sum += n.Wait.Duration()
			upTo = upTo || n.Wait.UpTo || n.Wait.Whole
		}
	}

	return max(0, sum), upTo
}

// assignWaits determines the wait before each span that processed a message, and which
// attempt it was.
func (t *Tree) assignWaits() {
	attempts := make(map[delivery][]*Node)
	seen := make(map[delivery]*views)
	consumers, byEnd := t.consumers()

	for _, n := range consumers { // by start time, so that attempts are in order
		n.Attempt = messaging.Attempt(n.Span)

		if p := t.around(n); p != nil {
			n.isView(p)

			continue
		}

		producer := t.ProducerOf(n)
		if producer == nil {
			n.Wait = recordedWait(n.Span)

			continue
		}

		key := deliveryOf(producer, n)
		before := attempts[key]

		if startsAnew(n, before) {
			before = nil
		}

		n.Wait = waitAfter(producer, n, before, byEnd[producer])
		attempts[key] = append(before, n)

		t.number(attempts[key])

		if other := t.shown(producer, n, seen); other != nil {
			n.isView(other)
			n.Wait = nil
		}
	}
}

// startsAnew reports whether the span is about another message than the attempts before it,
// or about another copy: it calls itself a first attempt or, if it does not count, there
// was no reason to try again.
func startsAnew(n *Node, before []*Node) bool {
	if n.Attempt > 0 || len(before) == 0 {
		return n.Attempt == 1
	}

	last := before[len(before)-1]

	return messaging.Succeeded(last.Span) || !last.Span.Failed() && last.ended().After(n.Span.Start)
}

// ended returns when an attempt ended: when the last of the spans that show it did.
func (n *Node) ended() time.Time {
	end := n.Span.End

	for _, view := range n.Views {
		if view.Span.End.After(end) {
			end = view.Span.End
		}
	}

	return end
}

func (n *Node) isView(of *Node) {
	n.ShownBy = of
	of.Views = append(of.Views, n)
}

// waitAfter measures the wait of n: from the end of the previous attempt, else from the end
// of the processing that dead-lettered the message, else from when it was sent.
func waitAfter(producer, n *Node, attempts, byEnd []*Node) *Wait {
	if len(attempts) > 0 {
		if end := attempts[len(attempts)-1].ended(); !end.IsZero() && !end.After(n.Span.Start) {
			return &Wait{
				From: end, To: n.Span.Start, Retry: true,
				Producer: producer, Queue: messaging.DestinationOf(n.Span).Queue,
			}
		}
	}

	w := sentWait(producer, n)

	if count, reason, _ := messaging.DeadLetters(n.Span); count > 0 {
		w.DeadLetter = cmp.Or(reason, "reason unknown")

		if end := lastEndBefore(n, byEnd); end.After(w.From) {
			w.From, w.UpTo, w.Whole, w.Due = end, false, false, false
		}
	}

	return w
}

// sentWait returns the wait since the message was sent. If its consumer recorded an exact
// time, that counts. Otherwise the message was in the queue when its publish had ended; if
// the publish was still waiting for its confirm, or had waited for one, the message may
// have been there since the publish began.
func sentWait(producer, n *Node) *Wait {
	w := &Wait{To: n.Span.Start, Producer: producer, Queue: messaging.DestinationOf(n.Span).Queue}

	// Nobody was supposed to process it before it was due.
	if due := messaging.DueTime(producer.Span); due.After(producer.Span.End) && !producer.Span.End.IsZero() {
		w.From, w.Due = due, true
		if due.After(w.To) { // asynq truncates the time to a second
			w.From = w.To
		}

		return w
	}

	if took, exact, ok := messaging.QueueTime(n.Span); ok && exact && messaging.Attempt(n.Span) < 2 {
		w.From = w.To.Add(-took)

		return w
	}

	sent := producer.Span
	w.From = sent.End

	if messaging.Confirmed(sent) || w.From.IsZero() || w.From.After(w.To) {
		w.From, w.UpTo = sent.Start, true
	}

	// Clocks differ, or the producer's time is not known.
	if w.From.IsZero() || w.From.After(w.To) {
		w.From, w.UpTo = w.To, false
	}

	return w
}

// lastEndBefore returns the latest end of another node before n started. It does not scan
// the nodes: there may be as many as spans in the trace.
func lastEndBefore(n *Node, byEnd []*Node) time.Time {
	i, _ := slices.BinarySearchFunc(byEnd, n.Span.Start, func(c *Node, start time.Time) int {
		if c.Span.End.After(start) {
			return 1
		}

		return -1
	})

	for i--; i >= 0; i-- {
		if byEnd[i] != n {
			return byEnd[i].Span.End
		}
	}

	return time.Time{}
}

// recordedWait returns the wait as recorded by the consumer, for a message whose sending
// span is not in this trace.
func recordedWait(s *spans.Span) *Wait {
	took, exact, ok := messaging.QueueTime(s)
	if !ok || took == 0 {
		return nil
	}

	return &Wait{From: s.Start.Add(-took), To: s.Start, Whole: !exact, Queue: messaging.DestinationOf(s).Queue}
}
