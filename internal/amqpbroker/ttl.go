package amqpbroker

import "time"

// timeToLive returns the shorter of the queue's and the message's TTL, -1 if there is
// neither.
func (q *queue) timeToLive(m *message) time.Duration {
	ms, _ := m.props.expiration()
	if q.messageTTL >= 0 && (ms < 0 || q.messageTTL < ms) {
		ms = q.messageTTL
	}
	if ms < 0 {
		return -1
	}
	return time.Duration(ms) * time.Millisecond
}

// expire drops expired messages from the head: as in RabbitMQ, a message behind one that
// lives longer has to wait (https://www.rabbitmq.com/docs/ttl).
func (q *queue) expire(now time.Time) {
	for {
		level := q.head()
		if level < 0 {
			return
		}
		next := q.levels[level].at(0).expires
		if next.IsZero() {
			return
		}
		if next.After(now) {
			q.expireAt(next)
			return
		}
		q.deadLetter(q.pop(), reasonExpired, now)
	}
}

// expireAt has the queue check for expired messages at t.
func (q *queue) expireAt(t time.Time) {
	if q.ttlAlarm != nil && !t.Before(q.ttlAlarm.at) {
		return
	}
	q.ttlAlarm.cancel()
	q.ttlAlarm = q.broker.clock.at(t, func() {
		q.ttlAlarm = nil
		q.expire(q.broker.clock.now())
	})
}

// touch postpones the end of a queue with x-expires.
func (q *queue) touch() {
	if q.expiry < 0 || q.deleted {
		return
	}
	q.used = q.broker.clock.now()
	if q.expireAlarm == nil {
		q.expireAlarm = q.broker.clock.at(q.used.Add(q.lifetime()), q.expireUnused)
	}
}

func (q *queue) lifetime() time.Duration { return time.Duration(q.expiry) * time.Millisecond }

func (q *queue) expireUnused() {
	q.expireAlarm = nil
	if len(q.consumers) > 0 {
		return // its last consumer touches it
	}
	end := q.used.Add(q.lifetime())
	if q.broker.clock.now().Before(end) {
		q.expireAlarm = q.broker.clock.at(end, q.expireUnused)
		return
	}
	q.delete()
}
