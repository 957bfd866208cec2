package amqpbroker

import (
	"slices"
	"time"
)

// The reasons for dead-lettering, as in x-death (https://www.rabbitmq.com/docs/dlx).
const (
	reasonRejected      = "rejected"
	reasonExpired       = "expired"
	reasonMaxLength     = "maxlen"
	reasonDeliveryLimit = "delivery_limit"
)

// death is an entry of a message's history: how often it was dead-lettered from a queue for
// one reason, and how it had been published the first time.
type death struct {
	queue, reason string
	exchange      string
	keys          []string
	count         int64
	first         time.Time
	expiration    string // "" for none
}

// deadLetter publishes a message that leaves q to the dead-letter exchange, if q has one
// and it exists.
func (q *queue) deadLetter(e *entry, reason string, now time.Time) {
	if q.deleted || q.deadExchange == nil {
		return
	}
	b := q.broker
	x, ok := b.exchanges[*q.deadExchange]
	if !ok {
		return
	}
	m := q.buried(e, reason, now)
	m.exchange = x.name
	for _, to := range b.route(x, m) {
		if reason != reasonRejected && cycles(to.name, m.deaths) {
			continue
		}
		to.publish(m, now)
	}
	b.deliverReplies(m, now)
}

// buried returns a message with its death recorded in its headers and its new routing keys.
// It drops the message's own TTL, so that the message does not expire again.
func (q *queue) buried(e *entry, reason string, now time.Time) *message {
	m := e.message
	deaths := recordDeath(m, q.name, reason, now)
	p := m.props
	p.flags = p.flags&^flagExpiration | flagHeaders
	p.headers = deathHeaders(m, deaths)
	m = m.withProps(p)
	m.deaths, m.failures = deaths, e.failures
	if q.deadKey != nil {
		m.keys = []string{*q.deadKey}
	}
	m.key = m.keys[0]
	return m
}

// recordDeath returns m's updated history, the latest death first. An x-death header from
// the client is not part of it.
func recordDeath(m *message, queue, reason string, now time.Time) []death {
	deaths := slices.Clone(m.deaths)
	latest := death{queue, reason, m.exchange, m.openKeys(), 0, now, ""}
	if m.props.flags&flagExpiration != 0 {
		latest.expiration = m.props.text[flagExpiration]
	}
	if i := slices.IndexFunc(deaths, func(d death) bool { return d.queue == queue && d.reason == reason }); i >= 0 {
		latest = deaths[i]
		deaths = slices.Delete(deaths, i, i+1)
	}
	latest.count++
	return slices.Insert(deaths, 0, latest)
}

// openKeys returns a message's routing keys except those that BCC hides.
func (m *message) openKeys() []string {
	keys := slices.Clone(m.keys)
	for _, secret := range m.bcc {
		if i := slices.Index(keys, secret); i >= 0 {
			keys = slices.Delete(keys, i, i+1)
		}
	}
	return keys
}

// deathHeaders returns m's headers with its history, which now begins with deaths[0].
func deathHeaders(m *message, deaths []death) table {
	headers := m.props.headers
	say := func(which, exchange, queue, reason string) {
		headers = headers.
			with(stringField("x-"+which+"-death-exchange", exchange)).
			with(stringField("x-"+which+"-death-queue", queue)).
			with(stringField("x-"+which+"-death-reason", reason))
	}
	if m.deaths == nil {
		say("first", m.exchange, deaths[0].queue, deaths[0].reason)
	}
	say("last", m.exchange, deaths[0].queue, deaths[0].reason)
	entries := make([]field, len(deaths))
	for i, d := range deaths {
		entries[i] = tableField("", d.table())
	}
	return headers.with(arrayField("x-death", entries))
}

func (d death) table() table {
	t := table{
		longField("count", d.count),
		stringField("reason", d.reason),
		stringField("queue", d.queue),
		{"time", 'T', encoder{}.u64(uint64(d.first.Unix()))},
		stringField("exchange", d.exchange),
		stringsField("routing-keys", d.keys),
	}
	if d.expiration != "" {
		t = slices.Insert(t, 0, stringField("original-expiration", d.expiration))
	}
	return t
}

// cycles reports whether a message has been in the queue before and came back without a
// rejection: it would circulate forever, so it is dropped.
func cycles(queue string, deaths []death) bool {
	for _, d := range deaths {
		if d.reason == reasonRejected {
			return false
		}
		if d.queue == queue {
			return true
		}
	}
	return false
}
