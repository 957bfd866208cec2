package traceview

import (
	"cmp"
	"strconv"
	"strings"
	"time"
)

// lane is one of several goes that a message had: an attempt, or what happened to
// it after it had been dead-lettered. It begins with the wait before it and covers
// all that was done in it.
type lane struct {
	Text string `json:"text"`
	// Dead tells a dead-letter hop from an attempt.
	Dead bool `json:"dead,omitempty"`
	// From and To are in nanoseconds from the start of the trace.
	From time.Duration `json:"from"`
	To   time.Duration `json:"to"`
}

// newLane returns the lane that the node's span opens, and whether it opens one: a
// message that was processed once and had never been given up has none.
func newLane(n *node, start time.Time) (lane, bool) {
	if n.span == nil || n.span.Start.IsZero() {
		return lane{}, false
	}

	deadLetter := deadLetterText(n)
	if deadLetter == "" && n.attempts < 2 && n.attempt < 2 {
		return lane{}, false
	}

	l := lane{Text: deadLetter, Dead: deadLetter != "", From: n.span.Start.Sub(start), To: n.lastEnd().Sub(start)}

	if n.attempt > 1 || deadLetter == "" {
		l.Text = strings.TrimPrefix(l.Text+" · attempt "+strconv.Itoa(n.attempt), " · ")
	}

	if n.wait != nil {
		l.From = n.wait.from.Sub(start)
	}

	return l, true
}

// deadLetterText says that and why the message had been given up before.
func deadLetterText(n *node) string {
	count, _ := n.span.Attributes.Number(keyDeadLetterCount)
	if count <= 0 {
		return ""
	}

	text := "dead letter"
	if count > 1 {
		text += " ×" + strconv.Itoa(int(min(count, 1e9)))
	}

	return text + ": " + printable(cmp.Or(firstText(n.span, keyDeadLetterReasons), "no reason given"), maxNameText)
}

// lastEnd is when the last of a node's spans ended. It is remembered, because lanes
// may lie within lanes.
func (n *node) lastEnd() time.Time {
	if !n.last.IsZero() {
		return n.last
	}

	if n.span != nil {
		n.last = n.span.Start.Add(n.span.Duration())
	}

	for _, child := range n.children {
		if last := child.lastEnd(); last.After(n.last) {
			n.last = last
		}
	}

	return n.last
}
