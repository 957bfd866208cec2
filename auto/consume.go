package auto

import (
	"context"
	"sync"
	"sync/atomic"
	_ "unsafe" // for go:linkname

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/mqtrace/mqtrace/amqptrace"
)

// consumption is one call to Consume.
type consumption struct {
	queue    string
	consumer *amqptrace.Consumer
	flight   *flight
	autoAck  bool
	// over is true once no more messages will arrive.
	over atomic.Bool
	// known is true once it is known what processes the messages: a function, or a
	// goroutine that settles them in a loop. Until then it may be any goroutine that
	// inherited the call.
	known atomic.Bool
}

func (c *channel) consume(queue string, autoAck bool) *consumption {
	defer leave(enter())
	return &consumption{
		queue:    queue,
		consumer: amqptrace.NewConsumer(queue, c.options...),
		flight:   &c.flight,
		autoAck:  autoAck,
	}
}

// channelConsume is called at the start of Consume, with a nil context, and of
// ConsumeWithContext. gone is closed when the channel is closed for good.
//
//go:linkname channelConsume
func channelConsume(
	ctx context.Context, field *atomic.Value, host *amqp.Channel, gone <-chan struct{}, queue, consumer string,
	autoAck, exclusive, noLocal, noWait bool, args amqp.Table,
) (deliveries <-chan amqp.Delivery, err error, done bool) {
	if off() || isInside() {
		return nil, nil, false
	}
	deliveries, err = func() (<-chan amqp.Delivery, error) {
		defer leave(enter())
		if ctx == nil {
			return host.Consume(queue, consumer, autoAck, exclusive, noLocal, noWait, args)
		}
		return host.ConsumeWithContext(ctx, queue, consumer, autoAck, exclusive, noLocal, noWait, args)
	}()
	if err != nil {
		return deliveries, err, true
	}
	c := channelOf(field, host).consume(queue, autoAck)
	out := make(chan amqp.Delivery)
	go c.relay(deliveries, out, gone)
	note(&node{consumer: c})
	return out, nil, true
}

// relay passes deliveries on, so that the time a message is taken is known. As in
// amqp091-go, deliveries that have not been taken when the channel is closed are dropped.
func (c *consumption) relay(in <-chan amqp.Delivery, out chan<- amqp.Delivery, gone <-chan struct{}) {
	defer close(out)
	defer c.over.Store(true)
	for d := range in {
		var a *attempt
		if !isOwnQueue(c.queue) {
			a = c.flight.add(c, &d)
		}
		select {
		case out <- d:
			if a == nil {
				continue
			}
			a.taken()
			if c.flight.closed.Load() {
				a.isClosed()
			}
		case <-gone:
			return
		}
	}
}

// only returns the context of the one message that is being processed, or nil if there are
// several.
func (c *consumption) only() context.Context {
	if a := c.flight.only(c); a != nil {
		return a.context()
	}
	return nil
}

// channelGet is called at the start of Get.
//
//go:linkname channelGet
func channelGet(
	field *atomic.Value, host *amqp.Channel, queue string, autoAck bool,
) (d amqp.Delivery, ok bool, err error, done bool) {
	if off() || isInside() || isOwnQueue(queue) {
		return amqp.Delivery{}, false, nil, false
	}
	ctx := current(context.Background())
	c := channelOf(field, host).consume(queue, autoAck)
	d, ok, err = func() (amqp.Delivery, bool, error) {
		defer leave(enter())
		return c.consumer.Get(ctx, host, autoAck)
	}()
	if err != nil || !ok {
		return d, ok, err, true
	}
	a := c.flight.add(c, &d)
	d.Acknowledger = host
	a.taken()
	note(&node{got: a})
	return d, ok, err, true
}

// deliveryInspected is called when amqptrace is about to process a delivery that the
// program passed to it by hand. If there is no span yet, amqptrace makes it.
//
//go:linkname deliveryInspected
func deliveryInspected(d *amqp.Delivery) {
	if isInside() {
		return
	}
	if a := attemptOf(d); a != nil {
		a.giveAway(d)
	}
}

// closings are the calls to channelClosed that are in progress.
var closings sync.WaitGroup

// channelClosed is called when a channel is closed for good, with the channel's locks held.
// It must not call amqptrace directly, which asks the channel why it was closed and would
// deadlock.
//
//go:linkname channelClosed
func channelClosed(field *atomic.Value) {
	if c, ok := field.Load().(*channel); ok {
		closings.Go(c.flight.close)
	}
}
