// Package amqphistory reads what a message's headers say about its earlier deliveries
// and deaths.
package amqphistory

import (
	"reflect"
	"time"
)

// MaxDeaths is how many entries of a message's dead-letter history are kept.
const MaxDeaths = 8

// History holds a message's earlier deliveries, from its headers.
type History struct {
	// Attempt is 1 for the first delivery to this queue.
	Attempt int
	// Count is how often the message was dead-lettered, in any queue.
	Count int64
	// Deaths are the latest entries, newest first.
	Deaths []Death
}

// Death is one entry of RabbitMQ's x-death header: a queue and a reason, with how
// often the message died there of it.
// https://www.rabbitmq.com/docs/dlx#effects
type Death struct {
	Queue, Reason string
	// Exchange and Key are those with which the message was published to that queue; of
	// several routing keys, the first.
	Exchange, Key string
	Count         int64
	// First is when the message first died there, in seconds since 1970, or 0 where
	// the header does not say.
	First int64
}

// Read works out the attempt from what there is: deaths in this queue that follow a
// delivery, the counts that a quorum queue keeps since the message came to it, and the
// redelivered flag, which stands for one further attempt at least. The number may be too
// low. It is too high only for a message that a program has republished with the counts of
// a quorum queue, and that a classic queue then redelivers.
//
// RabbitMQ 4.3 counts each delivery to a consumer in x-acquired-count, and in
// x-delivery-count only those that failed, such as a reject or a channel that was closed;
// older releases count all in x-delivery-count. Both headers travel with a message that a
// program publishes again. On a message that is not redelivered they are of another queue.
// RabbitMQ 4, which has x-last-death-queue, takes the mark and the counts along when it
// dead-letters a message.
//
// The sender writes the headers, so everything in them is validated.
func Read(headers map[string]any, queue string, redelivered bool) History {
	h := History{Attempt: 1}
	entries, _ := headers["x-death"].([]any)
	for _, e := range entries {
		t := table(e)
		if len(t) == 0 {
			continue
		}
		d := readDeath(t)
		h.Count = addCount(h.Count, d.Count)
		if d.Queue == queue && (d.Reason == "rejected" || d.Reason == "delivery_limit") {
			h.Attempt = addAttempts(h.Attempt, d.Count)
		}
		if len(h.Deaths) < MaxDeaths {
			h.Deaths = append(h.Deaths, d)
		}
	}
	if redelivered {
		h.Attempt = addAttempts(h.Attempt, h.redeliveries(headers))
	}
	return h
}

// redeliveries returns how often a message that is marked as redelivered has returned to
// this queue since it arrived.
func (h *History) redeliveries(headers map[string]any) int64 {
	counted := number(headers["x-acquired-count"])
	if counted == 0 { // 4.3 always has it, and then leaves an x-delivery-count of another queue
		counted = number(headers["x-delivery-count"])
	}
	if _, died := headers["x-last-death-queue"]; died {
		// Such a message may be new to this queue, and have the mark and the counts of the
		// queue it died in: these are no more than its deaths.
		return max(0, counted-h.Count)
	}
	return max(1, counted)
}

// table returns v as a map if it is a table type of any client library, such as
// amqp091-go's amqp.Table, else nil. This package imports no client library, so that its
// users need not build one.
func table(v any) map[string]any {
	t := reflect.TypeFor[map[string]any]()
	if r := reflect.ValueOf(v); r.IsValid() && r.CanConvert(t) {
		return r.Convert(t).Interface().(map[string]any) //nolint:forcetypeassert // just converted
	}
	return nil
}

func readDeath(t map[string]any) Death {
	var d Death
	d.Queue = name(t["queue"])
	d.Reason = name(t["reason"])
	d.Exchange = name(t["exchange"])
	if keys, _ := t["routing-keys"].([]any); len(keys) > 0 {
		d.Key = name(keys[0])
	}
	d.Count = max(1, number(t["count"]))
	d.First = unix(t["time"])
	return d
}

// maxName is the maximum length of AMQP's names, in bytes.
const maxName = 255

func name(v any) string {
	s, _ := v.(string)
	return s[:min(len(s), maxName)]
}

// maxCount bounds what a header can claim, so that sums stay numbers.
const maxCount = 1 << 30

func addCount(a, b int64) int64 { return min(a+b, maxCount) }

// addAttempts stays within an int of 32 bits too.
func addAttempts(a int, b int64) int { return int(addCount(int64(a), b)) }

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
	case uint16:
		n = int64(v)
	case uint32:
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
