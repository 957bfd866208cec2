package page

import (
	"strconv"

	"github.com/mqtrace/mqtrace/internal/traceview/messaging"
	"github.com/mqtrace/mqtrace/internal/traceview/textfmt"
	"github.com/mqtrace/mqtrace/internal/traceview/tree"
)

// badge is a word behind a span's name. Its tone is "", "good", "odd" or "bad".
type badge struct {
	Text string `json:"text"`
	Tone string `json:"tone,omitempty"`
}

const (
	toneGood = "good"
	toneOdd  = "odd"
	toneBad  = "bad"
)

// badges returns what became of a message: which attempt it was, how it was settled, and
// whether it was dead-lettered before.
func badges(n *tree.Node) []badge {
	var out []badge

	a := n.Span.Attributes

	if n.Attempts > 1 || n.Attempt > 1 {
		out = append(out, badge{"attempt " + strconv.Itoa(n.Attempt), toneOdd})
	}

	if given := deadLetterText(n); given != "" {
		out = append(out, badge{given, toneBad})
	}

	if n.Waiting != nil {
		waiting := badge{n.Waiting.Text(), toneOdd}
		if n.Waiting.Scheduled() {
			waiting.Tone = ""
		}

		out = append(out, waiting)
	}

	for _, key := range []string{messaging.KeySettlement, messaging.KeyTaskOutcome, messaging.KeyPublishOutcome} {
		if outcome := a.Text(key); outcome != "" {
			out = append(out, badge{textfmt.Printable(outcome, tree.MaxName), outcomeTone(outcome)})
		}
	}

	return out
}

// outcomeTone returns the tone for a value of mqtrace.settlement, mqtrace.publish.outcome
// or asynq.task.outcome.
func outcomeTone(outcome string) string {
	switch outcome {
	case "ack", "acked", "done":
		return toneGood
	case "requeue", "retry", "nack", "skipped", "revoked", "cancelled", "unconfirmed":
		return toneOdd
	case "reject", "nacked", "returned", "closed", "timeout", "exhausted", "deadline":
		return toneBad
	default:
		return ""
	}
}
