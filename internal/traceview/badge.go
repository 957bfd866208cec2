package traceview

import (
	"strconv"
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

// badges tell what became of a message: which attempt it was, how it was settled,
// that it was dead-lettered before.
func badges(n *node) []badge {
	var out []badge

	a := n.span.Attributes

	if n.attempts > 1 || n.attempt > 1 {
		out = append(out, badge{"attempt " + strconv.Itoa(n.attempt), toneOdd})
	}

	if text := deadLetterText(n); text != "" {
		out = append(out, badge{text, toneBad})
	}

	for _, key := range []string{keySettlement, keyTaskOutcome, keyPublishOutcome} {
		if text := a.Text(key); text != "" {
			out = append(out, badge{printable(text, maxNameText), outcomeTone(text)})
		}
	}

	return out
}

// outcomeTone sorts the values of mqtrace.settlement, mqtrace.publish.outcome and
// asynq.task.outcome.
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
