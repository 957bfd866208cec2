package peek

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/mqtrace/mqtrace/internal/traceview/textfmt"
)

// details returns the lines below a message. Times are relative to now.
func details(m *Message, withProducer bool, now time.Time) []string {
	var lines []string
	if m.ContextError != "" {
		lines = append(lines, printable(m.ContextError))
	}
	if withProducer {
		lines = append(lines, "from "+printable(m.Producer))
	}
	if m.Delivery != nil {
		lines = append(append(lines, address(m)), deadLetters(m.Delivery, now)...)
	}
	if m.Task != nil {
		lines = append(lines, join(named("id", m.ID), named("group", m.Group), retries(m)), schedule(m.Task, now),
			named("last error", m.LastError))
	}
	return append(lines, baggage(m))
}

func named(name, value string) string {
	if value == "" {
		return ""
	}
	return name + " " + printable(value)
}

func address(m *Message) string {
	redelivered := ""
	if m.Redelivered {
		redelivered = "redelivered"
	}
	return join(named("exchange", m.Exchange), named("key", m.RoutingKey), named("id", m.ID), named("type", m.Type),
		named("correlation", m.CorrelationID), redelivered)
}

// deadLetters returns a line for each death, newest first, which shows where a dead letter
// came from.
func deadLetters(d *Delivery, now time.Time) []string {
	if d.DeadLettered == 0 {
		return nil
	}
	lines := []string{"dead-lettered " + times(d.DeadLettered)}
	for _, death := range d.DeadLetters {
		line := fmt.Sprintf("- %s in queue %s",
			cmp.Or(printable(death.Reason), "for an unknown reason"), cmp.Or(printable(death.Queue), "of unknown name"))
		if death.Count > 1 {
			line += " " + times(death.Count)
		}
		if from := destination(death.Exchange, death.RoutingKey); death.Exchange != "" || from != death.Queue {
			line += named(", sent to", from)
		}
		lines = append(lines, line+moment(", first", death.First, now))
	}
	return lines
}

func times(n int64) string {
	if n == 1 {
		return "once"
	}
	return strconv.FormatInt(n, 10) + " times"
}

func retries(m *Message) string {
	if m.Attempts == 0 {
		return ""
	}
	return fmt.Sprintf("failed %s, %s allowed", times(int64(m.Attempts)), textfmt.Count(m.MaxRetry, "retry"))
}

func schedule(t *Task, now time.Time) string {
	orphaned := ""
	if t.Orphaned {
		orphaned = "orphaned: its worker is gone"
	}
	return join(moment("last failed", t.LastFailed, now), moment("next run", t.NextRun, now),
		moment("completed", t.Completed, now), orphaned)
}

// moment describes a time and how far it is from now. It is empty for none.
func moment(what string, t *time.Time, now time.Time) string {
	if t == nil {
		return ""
	}
	stamp := t.Format(time.RFC3339)
	d := now.Sub(*t).Round(time.Second)
	if d < 0 {
		return fmt.Sprintf("%s in %s (%s)", what, textfmt.FormatDuration(-d), stamp)
	}
	return fmt.Sprintf("%s %s ago (%s)", what, textfmt.FormatDuration(d), stamp)
}

func baggage(m *Message) string {
	if len(m.BaggageKeys) == 0 {
		return ""
	}
	parts := make([]string, len(m.BaggageKeys))
	for i, key := range m.BaggageKeys {
		parts[i] = key
		if value, ok := m.Baggage[key]; ok {
			parts[i] += "=" + value
		}
	}
	return "baggage " + printable(strings.Join(parts, ", "))
}
