package amqpbroker

import (
	"slices"
	"strings"
	"time"
)

// Direct reply-to: https://www.rabbitmq.com/docs/direct-reply-to.
const (
	replyQueue  = "amq.rabbitmq.reply-to"
	replyPrefix = replyQueue + "."
)

// replier is a channel's direct reply-to consumer.
type replier struct {
	tag  string
	name string // the name that replies are sent to
}

func (ch *channel) consumeReplies(tag string, noAck, noWait bool) error {
	switch _, used := ch.consumers[tag]; {
	case used:
		return fail(notAllowed, "attempt to reuse consumer tag '%s'", tag)
	case !noAck:
		return fail(preconditionFailed, "reply consumer cannot acknowledge")
	case ch.reply != nil:
		return fail(preconditionFailed, "reply consumer already set")
	}
	if tag == "" {
		tag = ch.broker.newName("amq.ctag-")
	}
	ch.reply = &replier{tag: tag, name: ch.broker.newName(ch.broker.ownReplies)}
	ch.broker.repliers[ch.reply.name] = ch
	ch.answer(noWait, basicConsumeOk, encoder{}.shortstr(tag))
	return nil
}

// endReplies ends the channel's direct reply-to consumer, if it has one.
func (ch *channel) endReplies() {
	if ch.reply != nil {
		delete(ch.broker.repliers, ch.reply.name)
		ch.reply = nil
	}
}

// madeReply reports whether the broker generated name for replies. As in RabbitMQ, where
// such a name contains a process id, this does not depend on whether a consumer still
// waits.
func (b *Broker) madeReply(name string) bool { return strings.HasPrefix(name, b.ownReplies) }

// declareReply answers a declaration of a direct reply-to name. For a generated name, it
// succeeds if a consumer still waits.
func (ch *channel) declareReply(name string, noWait bool) error {
	if name != replyQueue {
		if !ch.broker.madeReply(name) {
			return failBlameless(internalError, "") // RabbitMQ cannot read the name
		}
		if _, ok := ch.broker.repliers[name]; !ok {
			return noQueue(name)
		}
	}
	ch.lastQueue = name
	ch.answer(noWait, queueDeclareOk, encoder{}.shortstr(name).u32(0).u32(1))
	return nil
}

// consumeFromReply refuses to consume from a name that others reply to.
func (ch *channel) consumeFromReply(name string) error {
	if ch.broker.repliers[name] == ch {
		return fail(preconditionFailed, "multiple consumers are unsupported for %s", queueNamed(name))
	}
	return fail(preconditionFailed, "only creator channel may consume from %s", queueNamed(name))
}

func refuseReplyBinding(queue string) error {
	if strings.HasPrefix(queue, replyPrefix) {
		return fail(accessRefused, "cannot bind or unbind to a volatile (direct reply-to) queue")
	}
	return nil
}

// replyNames returns the direct reply-to names that a message goes to.
func (b *Broker) replyNames(m *message) []string {
	var names []string
	for _, key := range m.keys {
		if m.exchange == "" && b.madeReply(key) {
			names = append(names, key)
		}
	}
	return names
}

// deliverReplies delivers a message to each consumer that waits for it as a direct reply,
// once. A reply that cannot be delivered immediately is dropped: replies are delivered at
// most once, and nothing may be kept for a peer that does not read.
func (b *Broker) deliverReplies(m *message, now time.Time) {
	var done []*channel
	for _, name := range b.replyNames(m) {
		to, ok := b.repliers[name]
		if !ok || slices.Contains(done, to) || !to.conn.out.hasRoom() {
			continue
		}
		done = append(done, to)
		if to.confirms != nil { // it may have published the message, whose confirm comes first
			to.sendConfirms(now)
		}
		args := encoder{}.shortstr(to.reply.tag).u64(to.nextTag()).bit(false).shortstr(m.exchange).shortstr(m.key)
		to.conn.sendContent(to.id, basicDeliver, args, m.raw, m.body)
		to.traceOut(name, m, false)
	}
}
