package amqptrace

import (
	"context"
	"reflect"
	"unsafe"
	"weak"

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
		if p != nil && (p.single[0].host != nil || p.single[0].names != namesOf(d)) {
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
func (p *process) within(ctx context.Context, d amqp.Delivery, handle *handlerFunc) (err error) {
	ctx = p.context(ctx)
	returned := false
	defer func() {
		switch {
		case !returned:
			p.fail(handle, errDidNotReturn)
		case err != nil:
			p.fail(handle, err)
		default:
			p.succeed(handle)
		}
	}()
	err = (*handle)(ctx, d)
	returned = true
	return err
}

// deliveryKey identifies a delivery while it is in memory.
type deliveryKey struct {
	names

	redelivered bool
	consumerTag string
	channel     weak.Pointer[amqp.Channel]
	session     uint64
	contents    contents
}

// contents is the address of a delivery's body, or of its headers if it has neither a body nor
// an identifier: a library may make new headers for each try. It is never dereferenced.
type contents uintptr

func contentsOf(d *amqp.Delivery) contents {
	if len(d.Body) == 0 && d.MessageId == "" {
		return contents(reflect.ValueOf(d.Headers).Pointer())
	}
	return contents(unsafe.Pointer(unsafe.SliceData(d.Body))) //nolint:gosec // only compared
}

func (m *acknowledger) key() deliveryKey {
	k := deliveryKey{
		names: m.names, redelivered: m.redelivered, consumerTag: m.consumerTag, session: m.session, contents: m.contents,
	}
	if ch, ok := root(m.host).(*amqp.Channel); ok {
		k.channel = weak.Make(ch)
	}
	return k
}

// failed remembers that the processing has failed, in case it is tried again.
func (p *process) failed() {
	keys := make([]deliveryKey, len(p.messages))
	for i := range p.messages {
		keys[i] = p.messages[i].key()
	}
	p.consumer.retries.failed(keys...)
}

// watchedChannel is the channel that the last delivery came from.
type watchedChannel struct {
	channel *amqp.Channel
	reasons *closeReasons
}

// watch keeps the reason why a channel was closed, for later settlements, and returns how
// often it was closed.
func (c *Consumer) watch(ch *amqp.Channel) (closings uint64) {
	w := c.watched.Load()
	if w == nil || w.channel != ch {
		w = &watchedChannel{ch, &stateOf(ch).closeReasons}
		c.watched.Store(w)
	}
	w.reasons.watch(ch)
	return w.reasons.closings.Load()
}
