package amqpbroker

import "slices"

// consumer is a subscription of a channel to a queue.
type consumer struct {
	tag       string
	channel   *channel
	queue     *queue
	noAck     bool
	exclusive bool
	priority  int64 // x-priority
	limit     int   // prefetch, 0 for none
	unacked   int
}

func (c *consumer) readArguments(args table) error {
	for _, name := range []string{"x-stream-offset", "x-stream-filter", "x-stream-match-unfiltered"} {
		if _, ok := args.find(name); ok { // this broker has no streams
			return fail(preconditionFailed, "invalid arg '%s' for %s of queue type rabbit_%s_queue", name, queueNamed(c.queue.name), c.queue.kind())
		}
	}
	f, ok := args.find("x-priority")
	if !ok {
		return nil
	}
	priority, ok := f.integer()
	if !ok {
		return fail(preconditionFailed, "invalid arg 'x-priority' for %s: \"expected integer, got %s\"", queueNamed(c.queue.name), typeName(f.kind))
	}
	c.priority = priority
	return nil
}

// ready reports whether the consumer may be given one more message.
func (c *consumer) ready() bool {
	if !c.noAck && c.limit > 0 && c.unacked >= c.limit {
		return false
	}
	return c.channel.conn.out.hasRoom()
}

// take delivers a message to the consumer.
func (c *consumer) take(e *entry) {
	ch := c.channel
	tag := ch.nextTag()
	m := e.outgoing()
	args := encoder{}.shortstr(c.tag).u64(tag).bit(e.redelivered).shortstr(m.exchange).shortstr(m.key)
	ch.conn.sendContent(ch.id, basicDeliver, args, m.raw, m.body)
	if !c.noAck {
		ch.unacked.push(&delivery{tag: tag, entry: e, queue: c.queue, consumer: c})
		c.unacked++
	}
	ch.traceOut(c.queue.name, m, e.redelivered) // may give this channel its next delivery
}

// cancel notifies the client that its queue is gone
// (https://www.rabbitmq.com/docs/consumer-cancel).
func (c *consumer) cancel() {
	delete(c.channel.consumers, c.tag)
	if c.channel.conn.can("consumer_cancel_notify") {
		c.channel.send(basicCancel, encoder{}.shortstr(c.tag).bit(true))
	}
}

// add makes c a consumer of q, behind others of the same or a higher priority.
func (q *queue) add(c *consumer) {
	i := slices.IndexFunc(q.consumers, func(o *consumer) bool { return o.priority < c.priority })
	if i < 0 {
		i = len(q.consumers)
	}
	q.consumers = slices.Insert(q.consumers, i, c)
	q.consumed = true
	if q.singleActive && q.active == nil {
		q.active = c
	}
}

// drop removes c from q's consumers, and reports whether it was among them.
func (q *queue) drop(c *consumer) bool {
	i := slices.Index(q.consumers, c)
	if i < 0 {
		return false
	}
	q.consumers = slices.Delete(q.consumers, i, i+1)
	if q.active == c {
		q.active = nil
		if len(q.consumers) > 0 {
			q.active = q.consumers[0]
		}
	}
	return true
}

// next returns the consumer whose turn it is: of the ready ones with the highest priority,
// the one that has waited longest. It moves behind the others of its priority.
func (q *queue) next() *consumer {
	if q.singleActive {
		if q.active != nil && q.active.ready() {
			return q.active
		}
		return nil
	}
	i := slices.IndexFunc(q.consumers, (*consumer).ready)
	if i < 0 {
		return nil
	}
	c := q.consumers[i]
	for ; i+1 < len(q.consumers) && q.consumers[i+1].priority == c.priority; i++ {
		q.consumers[i] = q.consumers[i+1]
	}
	q.consumers[i] = c
	return c
}

func (q *queue) exclusivelyConsumed() bool {
	return len(q.consumers) == 1 && q.consumers[0].exclusive
}
