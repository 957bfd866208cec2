package amqpbroker

import (
	"slices"
	"time"
)

// delivery is a message that was delivered on a channel and has not been settled.
type delivery struct {
	tag      uint64
	entry    *entry
	queue    *queue
	consumer *consumer // nil if fetched with basic.get
}

// settlement is what to do with deliveries.
type settlement struct {
	deliveries []*delivery
	how        verdict
	failed     bool // counts as a failed delivery
}

type verdict int

const (
	acked verdict = iota
	discarded
	returned // to the queue
)

func (ch *channel) basicAck(d *decoder) error {
	tag, multiple := d.u64(), d.u8()&1 != 0
	if !d.done() {
		return errUndecodable
	}
	return ch.settleTag(tag, multiple, settlement{how: acked})
}

func (ch *channel) basicReject(d *decoder) error {
	tag, requeue := d.u64(), d.u8()&1 != 0
	if !d.done() {
		return errUndecodable
	}
	return ch.settleTag(tag, false, settlement{how: turnDown(requeue), failed: true})
}

func (ch *channel) basicNack(d *decoder) error {
	tag, bits := d.u64(), d.u8()
	if !d.done() {
		return errUndecodable
	}
	return ch.settleTag(tag, bits&1 != 0, settlement{how: turnDown(bits&2 != 0)})
}

func turnDown(requeue bool) verdict {
	if requeue {
		return returned
	}
	return discarded
}

// settleTag settles one delivery or, with multiple, all up to it; tag 0 then means all.
func (ch *channel) settleTag(tag uint64, multiple bool, s settlement) error {
	u := &ch.unacked
	from, to := 0, u.len()
	if tag != 0 || !multiple {
		i := u.search(func(d *delivery) bool { return d.tag >= tag })
		if i == u.len() || u.at(i).tag != tag {
			return fail(preconditionFailed, "unknown delivery tag %d", tag)
		}
		to = i + 1
		if !multiple {
			from = i
		}
	}
	s.deliveries = make([]*delivery, 0, to-from)
	for range to - from {
		s.deliveries = append(s.deliveries, u.remove(from))
	}
	if ch.tx != nil {
		ch.tx.settled = append(ch.tx.settled, s)
		return nil
	}
	ch.settle(s)
	return nil
}

// settle carries a settlement out.
func (ch *channel) settle(s settlement) {
	if s.how == returned {
		ch.requeue(s.deliveries, s.failed)
		return
	}
	now := ch.broker.clock.now()
	queues := ch.release(s.deliveries)
	if s.how == discarded {
		for _, d := range s.deliveries {
			if s.failed {
				d.entry.failures++
			}
			d.queue.deadLetter(d.entry, reasonRejected, now)
		}
	}
	ch.deliverAfter(queues, now)
}

// requeue returns deliveries to their positions in their queues.
func (ch *channel) requeue(deliveries []*delivery, failed bool) {
	now := ch.broker.clock.now()
	queues := ch.release(deliveries)
	for _, d := range slices.Backward(deliveries) { // each goes to the front
		if !d.queue.quorum {
			d.queue.putBack(d.entry, failed, now)
		}
	}
	for _, d := range deliveries {
		if d.queue.quorum {
			d.queue.putBack(d.entry, failed, now)
		}
	}
	ch.deliverAfter(queues, now)
}

// release forgets deliveries and returns their queues.
func (ch *channel) release(deliveries []*delivery) []*queue {
	var queues []*queue
	var last *queue
	for _, d := range deliveries {
		if d.consumer != nil {
			d.consumer.unacked--
		}
		if d.queue != last {
			last = d.queue
			queues = append(queues, last)
		}
	}
	return queues
}

// deliverAfter offers messages again after deliveries from these queues were settled.
func (ch *channel) deliverAfter(queues []*queue, now time.Time) {
	for i, q := range queues {
		if i == 0 || q != queues[i-1] {
			q.afterRequeue(now)
			q.deliver(now)
		}
	}
}

// deliverToAll offers messages to all of the channel's consumers.
func (ch *channel) deliverToAll() {
	now := ch.broker.clock.now()
	for _, c := range ch.consumers {
		c.queue.deliver(now)
	}
}

func (ch *channel) basicRecover(d *decoder) error {
	return ch.recover(d, true)
}

func (ch *channel) basicRecoverAsync(d *decoder) error {
	return ch.recover(d, false)
}

func (ch *channel) recover(d *decoder, answer bool) error {
	requeue := d.u8()&1 != 0
	if !d.done() {
		return errUndecodable
	}
	if !requeue {
		return fail(notImplemented, "requeue=false")
	}
	if answer { // before redeliveries
		ch.send(basicRecoverOk, nil)
	}
	ch.requeue(ch.unacked.drain(), false)
	return nil
}
