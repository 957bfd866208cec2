package amqpbroker

import (
	"strconv"
	"time"
)

// maxContentSize is the size beyond which RabbitMQ reports a framing error, not a message
// that is too large.
const maxContentSize = 512 << 20

type publishArgs struct {
	exchange, key        string
	mandatory, immediate bool
}

func readPublish(d *decoder) (publishArgs, error) {
	d.u16()
	a := publishArgs{exchange: d.shortstr(), key: d.shortstr()}
	bits := d.u8()
	a.mandatory, a.immediate = bits&1 != 0, bits&2 != 0
	if !d.done() {
		return a, d.undecodable()
	}
	return a, nil
}

// publish routes a message and sends its return and confirm.
func (ch *channel) publish(c *content, now time.Time) error {
	m, x, err := ch.accept(c)
	if err != nil {
		return err
	}
	r := ch.broker.routing(x, m)
	r.mandatory = c.publish.mandatory
	ch.traceIn(m, r.queues)
	if ch.tx != nil {
		ch.tx.publishes = append(ch.tx.publishes, r)
		return nil
	}
	ch.distribute(r, now)
	ch.broker.deliverReplies(m, now)
	return nil
}

// routing is a message and its destinations.
type routing struct {
	message   *message
	mandatory bool
	queues    []*queue
	routed    bool // it goes to a queue, or is a direct reply
}

func (b *Broker) routing(x *exchange, m *message) routing {
	queues := b.route(x, m)
	return routing{message: m, queues: queues, routed: len(queues) > 0 || len(b.replyNames(m)) > 0}
}

// accept turns published content into a message, checking it in RabbitMQ's order.
func (ch *channel) accept(c *content) (*message, *exchange, error) {
	if c.publish.immediate {
		return nil, nil, fail(notImplemented, "immediate=true")
	}
	if limit := ch.broker.cfg.maxMessageSize; c.size > limit {
		return nil, nil, fail(preconditionFailed, "message size %d is larger than configured max size %d", c.size, limit)
	}
	x, ok := ch.broker.exchanges[c.publish.exchange]
	if !ok {
		return nil, nil, noExchange(c.publish.exchange)
	}
	if x.internal {
		return nil, nil, fail(accessRefused, "cannot publish to internal %s", exchangeNamed(x.name))
	}
	props, ok := parseProperties(c.raw)
	if !ok {
		return nil, nil, failBlameless(internalError, "")
	}
	m := &message{exchange: x.name, key: c.publish.key, keys: []string{c.publish.key}, props: props, raw: c.raw, body: c.body}
	if props.text[flagReplyTo] == replyQueue {
		if ch.reply == nil {
			return nil, nil, fail(preconditionFailed, "fast reply consumer does not exist")
		}
		m = m.withText(flagReplyTo, ch.reply.name)
	}
	ttl, err := props.expiration()
	if err != nil {
		return nil, nil, err
	}
	if text := strconv.FormatInt(ttl, 10); ttl >= 0 && text != props.text[flagExpiration] {
		m = m.withText(flagExpiration, text)
	}
	if user, ok := props.text[flagUserID]; ok && user != ch.broker.cfg.user {
		return nil, nil, fail(preconditionFailed, "user_id property set to '%s' but authenticated user was '%s'", user, ch.broker.cfg.user)
	}
	if !props.headers.isCanonical() {
		m = m.withProps(m.props)
	}
	m, err = m.withCopies()
	return m, x, err
}

// withCopies adds the keys of the CC and BCC headers, and removes the latter.
func (m *message) withCopies() (*message, error) {
	if len(m.props.headers) == 0 {
		return m, nil
	}
	cc, err := copyKeys(m.props.headers, "CC")
	if err != nil {
		return nil, err
	}
	bcc, err := copyKeys(m.props.headers, "BCC")
	if err != nil {
		return nil, err
	}
	m.keys = append(append(m.keys, cc...), bcc...)
	m.bcc = bcc
	if _, ok := m.props.headers.find("BCC"); ok {
		m = m.withHeaders(m.props.headers.without("BCC"))
	}
	return m, nil
}

// distribute puts a message into its queues and sends a return and a confirm if they are
// due, the return first. It reports whether all the queues took it.
func (ch *channel) distribute(r routing, now time.Time) bool {
	if ch.confirms != nil && ch.broker.knobs.refuseConfirm {
		ch.confirm(false, now)
		return false
	}
	taken := true
	m := r.message
	for _, q := range r.queues {
		taken = q.publish(m, now) && taken
	}
	if r.mandatory && !r.routed {
		args := encoder{}.u16(noRoute).shortstr("NO_ROUTE").shortstr(m.exchange).shortstr(m.key)
		ch.conn.sendContent(ch.id, basicReturn, args, m.raw, m.body)
	}
	if ch.confirms != nil {
		ch.confirm(taken, now)
	}
	return taken
}

// confirmer numbers the messages of a channel in confirm mode and keeps the
// answers until they are sent.
type confirmer struct {
	tag     uint64 // of the last message
	waiting []confirmation
	later   *alarm // for delayed confirms
}

type confirmation struct {
	tag uint64
	ack bool
	due time.Time
}

func (ch *channel) confirmSelect(d *decoder) error {
	noWait := d.u8()&1 != 0
	if !d.done() {
		return errUndecodable
	}
	if ch.tx != nil {
		return fail(preconditionFailed, "cannot switch from tx to confirm mode")
	}
	if ch.confirms == nil {
		ch.confirms = &confirmer{}
	}
	ch.answer(noWait, confirmSelectOk, nil)
	return nil
}

// confirm records the answer to the message just published.
func (ch *channel) confirm(ack bool, now time.Time) {
	c := ch.confirms
	c.tag++
	c.waiting = append(c.waiting, confirmation{c.tag, ack, now.Add(ch.broker.knobs.delayConfirm)})
	ch.conn.confirming[ch] = struct{}{}
}

// flushConfirms sends the confirms that are due on all channels.
func (c *connection) flushConfirms() {
	c.broker.mu.Lock()
	defer c.broker.mu.Unlock()
	if len(c.confirming) == 0 {
		return
	}
	now := c.broker.clock.now()
	for ch := range c.confirming {
		ch.sendConfirms(now)
	}
}

// sendConfirms sends one basic.ack or basic.nack for a run of equal answers: messages are
// answered in order, so all earlier ones have been answered already.
func (ch *channel) sendConfirms(now time.Time) {
	c := ch.confirms
	n := 0
	for n < len(c.waiting) && !c.waiting[n].due.After(now) {
		first, end := n, n
		for end+1 < len(c.waiting) && c.waiting[end+1].ack == c.waiting[n].ack && !c.waiting[end+1].due.After(now) {
			end++
		}
		multiple := end > first
		args := encoder{}.u64(c.waiting[end].tag)
		if c.waiting[n].ack {
			ch.send(basicAck, args.bit(multiple))
		} else {
			ch.send(basicNack, args.u8(3)) // RabbitMQ always sets multiple and requeue
		}
		n = end + 1
	}
	c.waiting = c.waiting[n:]
	delete(ch.conn.confirming, ch)
	if len(c.waiting) == 0 {
		c.waiting = nil
		return
	}
	c.later.cancel()
	c.later = ch.broker.clock.at(c.waiting[0].due, func() { ch.sendConfirms(ch.broker.clock.now()) })
}
