package amqpbroker

import (
	"strings"
)

// queue finds a queue that the channel may use.
func (ch *channel) queue(name string) (*queue, error) {
	q, ok := ch.broker.queues[name]
	if !ok {
		return nil, noQueue(name)
	}
	if q.owner != nil && q.owner != ch.conn {
		return nil, locked(name)
	}
	return q, nil
}

func locked(queue string) error {
	return fail(resourceLocked, "cannot obtain exclusive access to locked %s. It could be originally declared on another connection or the exclusive property value does not match that of the original declaration.", queueNamed(queue))
}

// queueName replaces an empty name with the name of the queue declared last on the channel
// (AMQP 0-9-1, queue.bind and others).
func (ch *channel) queueName(name string) (string, error) {
	if name != "" {
		return name, nil
	}
	if ch.lastQueue == "" {
		return "", fail(notFound, "no previously declared queue")
	}
	return ch.lastQueue, nil
}

// cleanName drops the line ends that RabbitMQ drops from names.
func cleanName(s string) string { return strings.NewReplacer("\r", "", "\n", "").Replace(s) }

func reserved(kind, name string) error {
	if strings.HasPrefix(name, "amq.") {
		return fail(accessRefused, "%s name '%s' contains reserved prefix 'amq.*'", kind, name)
	}
	return nil
}

func (ch *channel) queueDeclare(d *decoder) error {
	d.u16()
	name := cleanName(d.shortstr())
	bits := d.u8()
	args := d.table()
	if !d.done() {
		return errUndecodable
	}
	passive, noWait := bits&1 != 0, bits&16 != 0
	var q *queue
	var err error
	switch {
	case strings.HasPrefix(name, replyQueue):
		return ch.declareReply(name, noWait)
	case passive:
		q, err = ch.queue(name)
	default:
		q, err = ch.declareQueue(name, bits&2 != 0, bits&4 != 0, bits&8 != 0, args)
	}
	if err != nil {
		return err
	}
	ch.lastQueue = q.name
	q.touch()
	q.expire(ch.broker.clock.now())
	ch.answer(noWait, queueDeclareOk, encoder{}.shortstr(q.name).u32(uint32(q.len())).u32(uint32(len(q.consumers))))
	return nil
}

func (ch *channel) declareQueue(name string, durable, exclusive, autoDelete bool, args table) (*queue, error) {
	b := ch.broker
	if err := reserved("queue", name); err != nil {
		return nil, err
	}
	durable = durable && !exclusive
	args = args.typed()
	if q, ok := b.queues[name]; ok {
		return q, ch.sameQueue(q, durable, exclusive, autoDelete, args)
	}
	if name == "" {
		if err := serverCanName(args); err != nil {
			return nil, err
		}
		name = b.newName("amq.gen-")
	}
	traits, err := readTraits(name, durable, autoDelete, exclusive, args)
	if err != nil {
		return nil, err
	}
	q := &queue{broker: b, name: name, queueTraits: traits, args: args}
	levels := max(traits.maxPriority, 0) + 1
	if traits.quorum {
		levels = levelReturned + 1
	}
	q.levels = make([]deque[*entry], levels)
	if exclusive {
		q.owner = ch.conn
	}
	b.queues[name] = q
	return q, nil
}

func serverCanName(args table) error {
	switch kind, problem := kindOf(args); {
	case kind == "quorum":
		return fail(preconditionFailed, "Cannot declare a server-named queue for type rabbit_quorum_queue")
	case problem != "" && kind != "":
		return fail(preconditionFailed, "unknown queue type '%s'", kind)
	}
	return nil
}

func (ch *channel) sameQueue(q *queue, durable, exclusive, autoDelete bool, args table) error {
	if q.owner != nil && q.owner != ch.conn || exclusive != (q.owner != nil) {
		return locked(q.name)
	}
	what := queueNamed(q.name)
	if err := sameFlag("durable", what, durable, q.durable); err != nil {
		return err
	}
	if err := sameFlag("auto_delete", what, autoDelete, q.autoDelete); err != nil {
		return err
	}
	for _, name := range typeArguments[q.kind()] {
		if err := sameArgument(name, what, args, q.args); err != nil {
			return err
		}
	}
	return nil
}

func (ch *channel) queueDelete(d *decoder) error {
	d.u16()
	name := cleanName(d.shortstr())
	bits := d.u8()
	if !d.done() {
		return errUndecodable
	}
	ifUnused, ifEmpty, noWait := bits&1 != 0, bits&2 != 0, bits&4 != 0
	name, err := ch.queueName(name)
	if err != nil {
		return err
	}
	if _, ok := ch.broker.queues[name]; ok { // deleting what does not exist is not an error in RabbitMQ
		q, err := ch.queue(name)
		switch {
		case err != nil:
			return err
		case ifUnused && len(q.consumers) > 0:
			return fail(preconditionFailed, "%s in use", queueNamed(name))
		case ifEmpty && q.len() > 0:
			return fail(preconditionFailed, "%s not empty", queueNamed(name))
		}
		ch.answer(noWait, queueDeleteOk, encoder{}.u32(uint32(q.len())))
		q.delete() // consumers are notified after the answer
		return nil
	}
	ch.answer(noWait, queueDeleteOk, encoder{}.u32(0))
	return nil
}

func (ch *channel) queuePurge(d *decoder) error {
	d.u16()
	name := d.shortstr()
	noWait := d.u8()&1 != 0
	if !d.done() {
		return errUndecodable
	}
	name, err := ch.queueName(name)
	if err != nil {
		return err
	}
	if ch.broker.madeReply(name) {
		ch.answer(noWait, queuePurgeOk, encoder{}.u32(0))
		return nil
	}
	q, err := ch.queue(name)
	if err != nil {
		return err
	}
	ch.answer(noWait, queuePurgeOk, encoder{}.u32(uint32(q.purge())))
	return nil
}

func (ch *channel) queueBind(d *decoder) error {
	d.u16()
	name, source, key := d.shortstr(), d.shortstr(), d.shortstr()
	noWait := d.u8()&1 != 0
	args := d.table()
	if !d.done() {
		return errUndecodable
	}
	if name == "" && key == "" {
		key = ch.lastQueue
	}
	name, err := ch.queueName(name)
	if err != nil {
		return err
	}
	if err := refuseReplyBinding(name); err != nil {
		return err
	}
	if err := ch.bind(cleanName(source), newBinding(cleanName(name), true, key, args)); err != nil {
		return err
	}
	ch.answer(noWait, queueBindOk, nil)
	return nil
}

func (ch *channel) queueUnbind(d *decoder) error {
	d.u16()
	name, source, key := d.shortstr(), d.shortstr(), d.shortstr()
	args := d.table()
	if !d.done() {
		return errUndecodable
	}
	if name == "" && key == "" {
		key = ch.lastQueue
	}
	name, err := ch.queueName(name)
	if err != nil {
		return err
	}
	if err := refuseReplyBinding(name); err != nil {
		return err
	}
	if err := ch.unbind(cleanName(source), newBinding(cleanName(name), true, key, args)); err != nil {
		return err
	}
	ch.send(queueUnbindOk, nil)
	return nil
}
