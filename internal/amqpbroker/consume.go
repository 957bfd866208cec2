package amqpbroker

import (
	"crypto/rand"
	"fmt"
)

func (ch *channel) basicQos(d *decoder) error {
	size, count := d.u32(), int(d.u16())
	d.u8() // global: RabbitMQ 4.3 counts per consumer regardless
	if !d.done() {
		return errUndecodable
	}
	if size != 0 {
		return fail(notImplemented, "prefetch_size!=0 (%d)", size)
	}
	ch.prefetch = count
	ch.send(basicQosOk, nil)
	return nil
}

func (ch *channel) basicConsume(d *decoder) error {
	d.u16()
	name, tag := d.shortstr(), d.shortstr()
	bits := d.u8()
	noAck, exclusive, noWait := bits&2 != 0, bits&4 != 0, bits&8 != 0
	args := d.table()
	if !d.done() {
		return errUndecodable
	}
	if name == replyQueue {
		return ch.consumeReplies(tag, noAck, noWait)
	}
	name, err := ch.queueName(name)
	if err != nil {
		return err
	}
	if _, ok := ch.consumers[tag]; ok {
		return fail(notAllowed, "attempt to reuse consumer tag '%s'", tag)
	}
	if ch.broker.madeReply(name) {
		return ch.consumeFromReply(name)
	}
	q, err := ch.queue(name)
	if err != nil {
		return err
	}
	c := &consumer{tag: tag, channel: ch, queue: q, noAck: noAck, exclusive: exclusive, limit: ch.prefetch}
	if err := c.readArguments(args); err != nil {
		return err
	}
	if !q.quorum && (exclusive && (len(q.consumers) > 0 || q.singleActive) || q.exclusivelyConsumed()) {
		return fail(accessRefused, "%s in exclusive use", queueNamed(name))
	}
	if c.tag == "" {
		c.tag = ch.broker.newName("amq.ctag-")
	}
	ch.consumers[c.tag] = c
	ch.answer(noWait, basicConsumeOk, encoder{}.shortstr(c.tag))
	q.add(c)
	q.deliver(ch.broker.clock.now())
	return nil
}

func (ch *channel) basicCancel(d *decoder) error {
	tag := d.shortstr()
	noWait := d.u8()&1 != 0
	if !d.done() {
		return errUndecodable
	}
	if ch.reply != nil && ch.reply.tag == tag {
		ch.endReplies()
	}
	c, ok := ch.consumers[tag]
	ch.answer(noWait, basicCancelOk, encoder{}.shortstr(tag))
	if ok {
		delete(ch.consumers, tag)
		c.queue.drop(c)
		c.queue.lostConsumer()
	}
	return nil
}

func (ch *channel) basicGet(d *decoder) error {
	d.u16()
	name := d.shortstr()
	noAck := d.u8()&1 != 0
	if !d.done() {
		return errUndecodable
	}
	name, err := ch.queueName(name)
	if err != nil {
		return err
	}
	if ch.broker.madeReply(name) {
		return fail(notImplemented, "basic.get not supported by volatile %s", queueNamed(name))
	}
	q, err := ch.queue(name)
	if err != nil {
		return err
	}
	if q.quorum && q.singleActive {
		return fail(resourceLocked, "cannot obtain access to locked %s. basic.get operations are not supported by <<\"quorum\">> queues with single active consumer", queueNamed(name))
	}
	q.touch()
	now := ch.broker.clock.now()
	q.expire(now)
	e := q.pop()
	if e == nil {
		ch.send(basicGetEmpty, encoder{}.shortstr(""))
		return nil
	}
	q.expire(now) // what was behind it
	tag := ch.nextTag()
	args := encoder{}.u64(tag).bit(e.redelivered).shortstr(e.message.exchange).shortstr(e.message.key).u32(uint32(q.len()))
	m := e.outgoing()
	ch.conn.sendContent(ch.id, basicGetOk, args, m.raw, m.body)
	if !noAck {
		ch.unacked.push(&delivery{tag: tag, entry: e, queue: q})
	}
	ch.traceOut(q.name, m, e.redelivered)
	return nil
}

func secret() string { return rand.Text() }

func (ch *channel) nextTag() uint64 {
	ch.tag++
	return ch.tag
}

// newName returns a name that no client has seen.
func (b *Broker) newName(prefix string) string {
	b.names++
	return fmt.Sprintf("%s%s-%d", prefix, secret(), b.names)
}
