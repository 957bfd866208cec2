package amqpbroker

import (
	"slices"
	"time"
)

// Why a message is dead-lettered, as x-death says it
// (https://www.rabbitmq.com/docs/dlx).
const (
	reasonRejected      = "rejected"
	reasonExpired       = "expired"
	reasonMaxLength     = "maxlen"
	reasonDeliveryLimit = "delivery_limit"
)

// deadLetter publishes what leaves q to its dead-letter exchange, if it has one
// that exists.
func (q *queue) deadLetter(e *entry, reason string, now time.Time) {
	if q.deleted || q.deadExchange == nil {
		return
	}
	b := q.broker
	x, ok := b.exchanges[*q.deadExchange]
	if !ok {
		return
	}
	m := q.buried(e.message, reason, now)
	m.exchange = x.name
	for _, to := range b.route(x, m) {
		if reason != reasonRejected && cycles(to.name, m.props.headers) {
			continue
		}
		to.publish(m, now)
	}
}

// buried is m with the death recorded in its headers, its own TTL removed lest it
// expire again, and its new routing keys.
func (q *queue) buried(m *message, reason string, now time.Time) *message {
	headers := recordDeath(m, q.name, reason, now)
	keys := m.keys
	if q.deadKey != nil {
		keys = []string{*q.deadKey}
		headers = headers.without("CC") // its keys do not apply any more
	}
	p := m.props
	p.flags = p.flags&^flagExpiration | flagHeaders
	p.headers = headers
	m = m.withProps(p)
	m.key, m.keys = keys[0], keys
	return m
}

// recordDeath returns m's headers with x-death brought up to date: one entry for
// each queue and reason, the latest first.
func recordDeath(m *message, queue, reason string, now time.Time) table {
	headers := m.props.headers
	death, present := headers.find("x-death")
	entries, _ := death.array()
	latest := newDeath(m, queue, reason, now)
	if !present {
		headers = headers.
			with(stringField("x-first-death-exchange", m.exchange)).
			with(stringField("x-first-death-queue", queue)).
			with(stringField("x-first-death-reason", reason))
	}
	if len(entries) > 0 {
		entries = slices.Clone(entries)
		// RabbitMQ 3 turns round what follows the latest. RabbitMQ 4 does not, which
		// shows only with three entries or more.
		slices.Reverse(entries)
		i := slices.IndexFunc(entries, func(f field) bool {
			q, r := deathOf(f)
			return q == queue && r == reason
		})
		if i >= 0 {
			old, _ := entries[i].tableValue()
			count, _ := old.find("count")
			n, _ := count.integer()
			latest = old.with(longField("count", n+1))
			entries = slices.Delete(entries, i, i+1)
		}
		latest = latest.sorted()
	}
	entries = slices.Insert(entries, 0, tableField("", latest))
	return headers.with(arrayField("x-death", entries)).sorted()
}

func newDeath(m *message, queue, reason string, now time.Time) table {
	cc, _ := copyKeys(m.props.headers, "CC") // the keys of BCC stay secret
	keys := []field{stringField("", m.key)}
	for _, key := range cc {
		keys = append(keys, stringField("", key))
	}
	t := table{
		longField("count", 1),
		stringField("reason", reason),
		stringField("queue", queue),
		{"time", 'T', encoder{}.u64(uint64(now.Unix()))},
		stringField("exchange", m.exchange),
		arrayField("routing-keys", keys),
	}
	if m.props.flags&flagExpiration != 0 {
		t = append(t, stringField("original-expiration", m.props.text[flagExpiration]))
	}
	return t
}

// deathOf is the queue and the reason of an entry of x-death.
func deathOf(f field) (queue, reason string) {
	t, _ := f.tableValue()
	q, _ := t.find("queue")
	r, _ := t.find("reason")
	queue, _ = q.text()
	reason, _ = r.text()
	return queue, reason
}

// cycles tells whether a message has been in the queue before and came round
// without anybody rejecting it: it would go round for ever, and is dropped.
func cycles(queue string, headers table) bool {
	death, _ := headers.find("x-death")
	entries, _ := death.array()
	for _, f := range entries {
		q, reason := deathOf(f)
		if reason == reasonRejected {
			return false
		}
		if q == queue {
			return true
		}
	}
	return false
}
