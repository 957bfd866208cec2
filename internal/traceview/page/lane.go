package page

import (
	"cmp"
	"strconv"
	"strings"
	"time"

	"github.com/mqtrace/mqtrace/internal/traceview/messaging"
	"github.com/mqtrace/mqtrace/internal/traceview/textfmt"
	"github.com/mqtrace/mqtrace/internal/traceview/tree"
)

// lane is one of several rounds that a message went through: an attempt, or what happened
// after it was dead-lettered. It begins with the wait before it and covers everything done
// in it.
type lane struct {
	Text string `json:"text"`
	// Dead reports whether it is a dead-letter hop rather than an attempt.
	Dead bool `json:"dead,omitempty"`
	// From and To are in nanoseconds from the start of the trace.
	From time.Duration `json:"from"`
	To   time.Duration `json:"to"`
}

// newLane returns the lane that the node's span opens, and whether it opens one: a message
// that was processed once and never dead-lettered has none.
func newLane(n *tree.Node, start time.Time) (lane, bool) {
	if n.Span == nil || n.Span.Start.IsZero() {
		return lane{}, false
	}

	deadLetter := deadLetterText(n)
	if deadLetter == "" && n.Attempts < 2 && n.Attempt < 2 {
		return lane{}, false
	}

	l := lane{Text: deadLetter, Dead: deadLetter != "", From: n.Span.Start.Sub(start), To: n.LastEnd().Sub(start)}

	if n.Attempt > 1 || deadLetter == "" {
		l.Text = strings.TrimPrefix(l.Text+" · attempt "+strconv.Itoa(n.Attempt), " · ")
	}

	if n.Wait != nil {
		l.From = n.Wait.From.Sub(start)
	}

	return l, true
}

// deadLetterText describes how often and why the message was dead-lettered before, if it
// was.
func deadLetterText(n *tree.Node) string {
	count, reason, _ := messaging.DeadLetters(n.Span)
	if count == 0 {
		return ""
	}

	given := "dead letter"
	if count > 1 {
		given += " ×" + strconv.Itoa(count)
	}

	return given + ": " + textfmt.Printable(cmp.Or(reason, "no reason given"), tree.MaxName)
}
