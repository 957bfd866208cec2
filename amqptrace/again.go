package amqptrace

import (
	"context"
	"unsafe"

	amqp "github.com/rabbitmq/amqp091-go"
)

// underWay returns the process that already handles the delivery, or nil: a handler may be
// called in a loop over Deliveries or by another handler. Batches are not considered, since
// their messages may have spans of their own.
func underWay(ctx context.Context, d *amqp.Delivery) *process {
	var p *process
	switch a := d.Acknowledger.(type) {
	case *acknowledger:
		p = a.process
	case nil: // nothing was wrapped
		p = processOf(ctx)
		if p != nil && (p.single[0].host != nil || p.single[0].tag != d.DeliveryTag || p.single[0].messageID != d.MessageId) {
			return nil
		}
	}
	if p == nil || p.batch {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended {
		return nil
	}
	return p
}

// within calls a handler under the span of p.
func (p *process) within(
	ctx context.Context, d amqp.Delivery, handle func(context.Context, amqp.Delivery) error,
) (err error) {
	ctx = p.context(ctx)
	returned := false
	defer func() {
		if !returned {
			p.fail(errDidNotReturn)
		}
	}()
	err = handle(ctx, d)
	returned = true
	if err != nil {
		p.fail(err)
	}
	return err
}

// deliveryKey identifies a delivery while it is in memory.
type deliveryKey struct {
	tag                           uint64
	redelivered                   bool
	consumerTag                   string
	exchange, routingKey, message string
	body                          uintptr // never dereferenced
}

func keyOf(d *amqp.Delivery) deliveryKey {
	return deliveryKey{
		d.DeliveryTag, d.Redelivered, d.ConsumerTag, d.Exchange, d.RoutingKey, d.MessageId,
		uintptr(unsafe.Pointer(unsafe.SliceData(d.Body))), //nolint:gosec // only compared
	}
}

// watchedChannel is the channel that the last delivery came from.
type watchedChannel struct {
	channel *amqp.Channel
	reasons *closeReasons
}

// watch keeps the reason why a channel was closed, for later settlements.
func (c *Consumer) watch(ch *amqp.Channel) {
	w := c.watched.Load()
	if w == nil || w.channel != ch {
		w = &watchedChannel{ch, &stateOf(ch).closeReasons}
		c.watched.Store(w)
	}
	w.reasons.watch(ch)
}
