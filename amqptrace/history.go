package amqptrace

import (
	"time"

	"go.opentelemetry.io/otel/attribute"

	"github.com/mqtrace/mqtrace/internal/amqphistory"
	"github.com/mqtrace/mqtrace/internal/messaging"
)

// deadLetterAttributes returns the dead-letter history for a span, nil if there is none.
func deadLetterAttributes(h *amqphistory.History) []attribute.KeyValue {
	if h.Count == 0 {
		return nil
	}
	queues := make([]string, len(h.Deaths))
	reasons := make([]string, len(h.Deaths))
	counts := make([]int64, len(h.Deaths))
	times := make([]string, len(h.Deaths))
	for i, d := range h.Deaths {
		queues[i], reasons[i], counts[i] = messaging.ValidText(d.Queue), messaging.ValidText(d.Reason), d.Count
		if d.First > 0 {
			times[i] = time.Unix(d.First, 0).UTC().Format(time.RFC3339)
		}
	}
	return []attribute.KeyValue{
		deadLetterCountKey.Int64(h.Count),
		deadLetterQueuesKey.StringSlice(queues),
		deadLetterReasonsKey.StringSlice(reasons),
		deadLetterCountsKey.Int64Slice(counts),
		deadLetterTimesKey.StringSlice(times),
	}
}
