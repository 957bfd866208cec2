package amqptrace

import (
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"go.opentelemetry.io/otel/attribute"

	"github.com/mqtrace/mqtrace/internal/messaging"
)

// maxDeaths is how many entries of a message's dead-letter history a span shows.
const maxDeaths = 8

// history is what a message's headers tell of its earlier deliveries.
type history struct {
	// attempt is 1 for the first delivery to this queue.
	attempt int
	// count is how often the message was dead-lettered, in any queue.
	count int64
	// deaths are the latest entries, newest first.
	deaths []death
}

// death is one entry of RabbitMQ's x-death header: a queue and a reason, with how
// often the message died there of it and when first, in seconds since 1970.
// https://www.rabbitmq.com/docs/dlx#effects
type death struct {
	queue, reason string
	count, time   int64
}

// readHistory tells the attempt from whichever of three sources there is: deaths in
// this queue that follow a delivery, the count that a quorum queue keeps, and the
// flag of a message that was delivered and not settled. Headers are the sender's to
// write, so nothing in them is taken for granted.
func readHistory(headers amqp.Table, queue string, redelivered bool) history {
	h := history{attempt: 1}
	entries, _ := headers["x-death"].([]any)
	for _, e := range entries {
		t, ok := e.(amqp.Table)
		if !ok {
			continue
		}
		d := readDeath(t)
		h.count = addCount(h.count, d.count)
		if d.queue == queue && (d.reason == "rejected" || d.reason == "delivery_limit") {
			h.attempt += int(d.count)
		}
		if len(h.deaths) < maxDeaths {
			h.deaths = append(h.deaths, d)
		}
	}
	// A quorum queue counts by itself, with no header on the first delivery.
	if n := number(headers["x-delivery-count"]); n > 0 {
		h.attempt += int(n)
	} else if redelivered {
		h.attempt++
	}
	return h
}

func readDeath(t amqp.Table) death {
	var d death
	d.queue = name(t["queue"])
	d.reason = name(t["reason"])
	d.count = max(1, number(t["count"]))
	d.time = unix(t["time"])
	return d
}

// maxName is how long AMQP's names are at most, in bytes.
const maxName = 255

func name(v any) string {
	s, _ := v.(string)
	return s[:min(len(s), maxName)]
}

// maxCount bounds what a header can claim, so that sums stay numbers.
const maxCount = 1 << 30

func addCount(a, b int64) int64 { return min(a+b, maxCount) }

// number reads the integers that AMQP has, within 0 and maxCount.
func number(v any) int64 {
	var n int64
	switch v := v.(type) {
	case int64:
		n = v
	case int32:
		n = int64(v)
	case int16:
		n = int64(v)
	case int8:
		n = int64(v)
	case uint8:
		n = int64(v)
	case int:
		n = int64(v)
	}
	return min(max(0, n), maxCount)
}

// unix reads a timestamp, which amqp091-go hands over as a time.
func unix(v any) int64 {
	if t, ok := v.(time.Time); ok && t.Unix() > 0 {
		return t.Unix()
	}
	return 0
}

// attributes are the dead-letter history for a span, nil where there is none.
func (h *history) attributes() []attribute.KeyValue {
	if h.count == 0 {
		return nil
	}
	queues := make([]string, len(h.deaths))
	reasons := make([]string, len(h.deaths))
	counts := make([]int64, len(h.deaths))
	times := make([]string, len(h.deaths))
	for i, d := range h.deaths {
		queues[i], reasons[i], counts[i] = messaging.ValidText(d.queue), messaging.ValidText(d.reason), d.count
		if d.time > 0 {
			times[i] = time.Unix(d.time, 0).UTC().Format(time.RFC3339)
		}
	}
	return []attribute.KeyValue{
		deadLetterCountKey.Int64(h.count),
		deadLetterQueuesKey.StringSlice(queues),
		deadLetterReasonsKey.StringSlice(reasons),
		deadLetterCountsKey.Int64Slice(counts),
		deadLetterTimesKey.StringSlice(times),
	}
}
