package peek

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// details are the lines below a message.
func details(m *Message, withProducer bool) []string {
	var lines []string
	if m.ContextError != "" {
		lines = append(lines, printable(m.ContextError))
	}
	if withProducer {
		lines = append(lines, "from "+printable(m.Producer))
	}
	if m.Delivery != nil {
		lines = append(lines, address(m), deadLetters(m.Delivery))
	}
	if m.Task != nil {
		lines = append(lines, join(named("id", m.ID), named("group", m.Group), retries(m), schedule(m.Task)),
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

func deadLetters(d *Delivery) string {
	if d.DeadLettered == 0 {
		return ""
	}
	var b strings.Builder
	fmt.Fprintf(&b, "dead-lettered %s:", times(d.DeadLettered))
	for i, death := range d.DeadLetters {
		if i > 0 {
			b.WriteString(";")
		}
		fmt.Fprintf(&b, " %s in %s", printable(death.Reason), printable(death.Queue))
		if death.Count > 1 {
			b.WriteString(" " + times(death.Count))
		}
		if death.First != nil {
			b.WriteString(", first " + death.First.Format(time.RFC3339))
		}
	}
	return b.String()
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
	return fmt.Sprintf("failed %s, %d retries allowed", times(int64(m.Attempts)), m.MaxRetry)
}

func schedule(t *Task) string {
	at := func(what string, t *time.Time) string {
		if t == nil {
			return ""
		}
		return what + " " + t.Format(time.RFC3339)
	}
	orphaned := ""
	if t.Orphaned {
		orphaned = "orphaned: its worker is gone"
	}
	return join(at("last failed", t.LastFailed), at("next run", t.NextRun), at("completed", t.Completed), orphaned)
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
