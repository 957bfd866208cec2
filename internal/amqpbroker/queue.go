package amqpbroker

import (
	"slices"
	"time"
)

// queue keeps messages in order and hands them to its consumers. The broker's mutex guards
// all of it.
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

	used        time.Time // when it was last used, for x-expires
	expireAlarm *alarm
	ttlAlarm    *alarm
}

func (q *queue) len() int { return q.count }

func (q *queue) kind() string {
	if q.quorum {
		return "quorum"
	}
	return "classic"
}

// publish adds a message, unless the queue is full and refuses it
// (https://www.rabbitmq.com/docs/maxlength).
func (q *queue) publish(m *message, now time.Time) bool {
	if q.deleted {
		return true
	}
	q.expire(now)
	if q.overflow != dropHead && q.refuses(m) {
		if q.overflow == rejectPublishDeadLetter {
			q.deadLetter(&entry{message: m, failures: m.failures}, reasonMaxLength, now)
		}
		return false
	}
	q.sequence++
	e := &entry{sequence: q.sequence, level: q.levelOf(m), message: m, failures: m.failures, counted: q.quorum}
	if ttl := q.timeToLive(m); ttl >= 0 {
		e.expires = now.Add(ttl)
	}
	q.levels[e.level].push(e)
	q.count++
	q.bytes += len(m.body)
	e.redelivered = q.quorum && e.failures > 0
	q.hand(now)
	e.redelivered = e.failures > 0 // a waiting consumer of a classic queue does not see it
	q.trim(now)
	q.expire(now) // a TTL of 0 lets a message reach a waiting consumer, and no other
	return true
}

// The levels of a quorum queue: its priorities and, above them, returned messages.
const (
	maxQuorumPriority     = 31
	defaultQuorumPriority = 4
	levelReturned         = maxQuorumPriority + 1
)

// levelOf returns the level at which a message starts.
func (q *queue) levelOf(m *message) int {
	priority := int(m.props.priority)
	if !q.quorum {
		return min(priority, len(q.levels)-1)
	}
	if m.props.flags&flagPriority == 0 {
		priority = defaultQuorumPriority
	}
	return min(priority, maxQuorumPriority)
}

// refuses reports whether a queue that does not drop its head has no room for m. A quorum
// queue refuses only once it is over its limit.
func (q *queue) refuses(m *message) bool {
	if q.quorum {
		return q.exceeds(q.count, q.bytes)
	}
	return q.exceeds(q.count+1, q.bytes+len(m.body))
}

func (q *queue) exceeds(count, bytes int) bool {
	return q.maxLength >= 0 && int64(count) > q.maxLength || q.maxBytes >= 0 && int64(bytes) > q.maxBytes
}

// trim drops messages from the head until the queue is within its length limits.
func (q *queue) trim(now time.Time) {
	if q.overflow != dropHead {
		return
	}
	for q.count > 0 && q.exceeds(q.count, q.bytes) {
		q.deadLetter(q.pop(), reasonMaxLength, now)
	}
}

// head returns the level that the next message comes from, -1 if the queue is empty.
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

// putBack returns an entry to the queue: in a classic queue to its old position, in a
// quorum queue ahead of everything not delivered yet, in the order in which entries return.
func (q *queue) putBack(e *entry, failed bool, now time.Time) {
	if q.deleted {
		return
	}
	e.redelivered = true
	e.returns++
	if failed {
		e.failures++
	}
	if q.quorum {
		if q.deliveryLimit >= 0 && e.failures > q.deliveryLimit {
			q.deadLetter(e, reasonDeliveryLimit, now)
			return
		}
		e.level = levelReturned
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

// deliver hands out messages while there are messages and ready consumers.
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

func (q *queue) purge() int {
	n := q.count
	for i := range q.levels {
		q.levels[i].drain()
	}
	q.count, q.bytes = 0, 0
	return n
}

// lostConsumer is called after the queue has lost a consumer.
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
