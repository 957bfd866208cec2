package amqpbroker

import (
	"slices"
	"time"
)

// queue keeps messages in order and hands them to its consumers. All of it is
// guarded by the broker's mutex.
type queue struct {
	broker *Broker
	name   string
	queueTraits
	args    table
	owner   *connection // of an exclusive queue
	deleted bool

	levels   []deque[*entry] // by priority, the highest last
	count    int
	bytes    int
	sequence uint64

	consumers []*consumer // by priority, then by whose turn it is
	active    *consumer   // of a queue with a single active consumer
	consumed  bool        // has had a consumer

	used        time.Time // last, for x-expires
	expireAlarm *alarm
	ttlAlarm    *alarm
}

func (q *queue) len() int { return q.count }

// publish takes a message in, unless the queue is full and refuses
// (https://www.rabbitmq.com/docs/maxlength).
func (q *queue) publish(m *message, now time.Time) bool {
	if q.deleted {
		return true
	}
	q.expire(now)
	if q.overflow != dropHead && q.refuses(m) {
		if q.overflow == rejectPublishDeadLetter {
			q.deadLetter(&entry{message: m}, reasonMaxLength, now)
		}
		return false
	}
	q.sequence++
	e := &entry{sequence: q.sequence, message: m, counted: q.quorum}
	if q.maxPriority > 0 {
		e.level = min(int(m.props.priority), len(q.levels)-1)
	}
	if ttl := q.timeToLive(m); ttl >= 0 {
		e.expires = now.Add(ttl)
	}
	q.levels[e.level].push(e)
	q.count++
	q.bytes += len(m.body)
	q.hand(now)
	q.trim(now)
	q.expire(now) // a TTL of 0 lets a message reach a waiting consumer, and no other
	return true
}

// timeToLive is the shorter of the queue's and the message's own, -1 for neither.
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

// refuses tells whether a queue that does not drop its head has no room for m. A
// quorum queue refuses only when it is over its limit already.
func (q *queue) refuses(m *message) bool {
	if q.quorum {
		return q.exceeds(q.count, q.bytes)
	}
	return q.exceeds(q.count+1, q.bytes+len(m.body))
}

func (q *queue) exceeds(count, bytes int) bool {
	return q.maxLength >= 0 && int64(count) > q.maxLength || q.maxBytes >= 0 && int64(bytes) > q.maxBytes
}

// trim drops from the head what a length limit does not allow.
func (q *queue) trim(now time.Time) {
	if q.overflow != dropHead {
		return
	}
	for q.count > 0 && q.exceeds(q.count, q.bytes) {
		q.deadLetter(q.pop(), reasonMaxLength, now)
	}
}

// head is the level that the next message comes from, -1 for an empty queue.
func (q *queue) head() int {
	for i := len(q.levels) - 1; i >= 0; i-- {
		if q.levels[i].len() > 0 {
			return i
		}
	}
	return -1
}

func (q *queue) pop() *entry {
	level := q.head()
	if level < 0 {
		return nil
	}
	e := q.levels[level].remove(0)
	q.count--
	q.bytes -= len(e.message.body)
	return e
}

// levelReturned is that of a quorum queue for what came back.
const levelReturned = 1

// putBack returns an entry: to a classic queue in its old place.
func (q *queue) putBack(e *entry, abandoned bool, now time.Time) {
	if q.deleted {
		return
	}
	e.redelivered = true
	e.returns++
	if q.deliveryLimit >= 0 && e.returns > q.deliveryLimit {
		q.deadLetter(e, reasonDeliveryLimit, now)
		return
	}
	if q.quorum {
		// What an ended channel left a quorum queue serves first, in the order in which
		// it came. What a client returned it takes like a new message, unless it has a
		// delivery limit, as RabbitMQ 4 has by default.
		if q.deliveryLimit >= 0 || abandoned {
			e.level = levelReturned
		}
		q.levels[e.level].push(e)
	} else {
		level := &q.levels[e.level]
		level.insert(level.search(func(o *entry) bool { return o.sequence > e.sequence }), e)
	}
	q.count++
	q.bytes += len(e.message.body)
}

// afterRequeue applies the queue's limits to what was put back.
func (q *queue) afterRequeue(now time.Time) {
	if !q.deleted {
		q.trim(now)
		q.expire(now)
	}
}

// deliver hands messages to consumers as long as there are both.
func (q *queue) deliver(now time.Time) {
	if q.deleted || q.count == 0 {
		return
	}
	q.expire(now)
	q.hand(now)
}

func (q *queue) hand(now time.Time) {
	for q.count > 0 {
		c := q.next()
		if c == nil {
			return
		}
		e := q.pop()
		for e != nil && !e.expires.IsZero() && e.expires.Before(now) {
			q.deadLetter(e, reasonExpired, now)
			e = q.pop()
		}
		if e != nil {
			c.take(e)
		}
	}
}

// expire drops what is overdue at the head: as in RabbitMQ, a message behind one
// that lives longer has to wait (https://www.rabbitmq.com/docs/ttl).
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

// expireAt has the queue look for overdue messages at t.
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

func (q *queue) purge() int {
	n := q.count
	for i := range q.levels {
		q.levels[i].drain()
	}
	q.count, q.bytes = 0, 0
	return n
}

// touch puts off the end of a queue with x-expires.
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

// lostConsumer is called after consumers have gone.
func (q *queue) lostConsumer() {
	if q.deleted {
		return
	}
	if len(q.consumers) > 0 {
		q.deliver(q.broker.clock.now()) // the next one may be the active one now
		return
	}
	if q.autoDelete && q.consumed {
		q.delete()
		return
	}
	q.touch()
}

// delete ends the queue. Its messages are lost, not dead-lettered.
func (q *queue) delete() {
	if q.deleted {
		return
	}
	q.deleted = true
	delete(q.broker.queues, q.name)
	q.ttlAlarm.cancel()
	q.expireAlarm.cancel()
	for _, c := range slices.Clone(q.consumers) {
		c.cancel()
	}
	q.consumers, q.active = nil, nil
	q.purge()
	q.broker.unbindDestination(q.name, true)
}
