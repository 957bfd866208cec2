package amqpbroker

import (
	"cmp"
	"slices"
)

// transaction holds back the publishes and settlements of a channel in tx mode. As in
// RabbitMQ it is atomic for a reader of one queue, not across queues.
type transaction struct {
	publishes []routing
	settled   []settlement
}

func (ch *channel) txSelect(d *decoder) error {
	if !d.done() {
		return errUndecodable
	}
	if ch.confirms != nil {
		return fail(preconditionFailed, "cannot switch from confirm to tx mode")
	}
	if ch.tx == nil {
		ch.tx = &transaction{}
	}
	ch.send(txSelectOk, nil)
	return nil
}

func (ch *channel) txCommit(d *decoder) error {
	if !d.done() {
		return errUndecodable
	}
	if ch.tx == nil {
		return fail(preconditionFailed, "channel is not transactional")
	}
	tx := ch.tx
	ch.tx = &transaction{}
	now := ch.broker.clock.now()
	complete := true
	for _, r := range tx.publishes {
		complete = ch.distribute(r, now) && complete
	}
	for _, s := range tx.settled {
		ch.settle(s)
	}
	if !complete {
		return fail(preconditionFailed, "partial tx completion")
	}
	ch.send(txCommitOk, nil)
	for _, r := range tx.publishes {
		ch.broker.deliverReplies(r.message, now)
	}
	return nil
}

func (ch *channel) txRollback(d *decoder) error {
	if !d.done() {
		return errUndecodable
	}
	if ch.tx == nil {
		return fail(preconditionFailed, "channel is not transactional")
	}
	ch.tx.restore(ch)
	ch.tx = &transaction{}
	ch.send(txRollbackOk, nil)
	return nil
}

// restore makes unacknowledged again what the transaction had settled.
func (tx *transaction) restore(ch *channel) {
	all := ch.unacked.drain()
	for _, s := range tx.settled {
		all = append(all, s.deliveries...)
	}
	slices.SortFunc(all, func(a, b *delivery) int { return cmp.Compare(a.tag, b.tag) })
	for _, d := range all {
		ch.unacked.push(d)
	}
}
