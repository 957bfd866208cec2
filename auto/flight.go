package auto

import (
	"runtime"
	"sync"
	"sync/atomic"
	_ "unsafe" // for go:linkname

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/mqtrace/mqtrace/amqptrace"
)

// flight holds the messages of a channel that are being processed, by delivery tag. Its
// lock may be acquired while an attempt's is held, never the other way round.
type flight struct {
	closed atomic.Bool

	mu       sync.Mutex
	attempts map[uint64]*attempt
}

func (f *flight) add(c *consumption, d *amqp.Delivery) *attempt {
	a := &attempt{consumption: c, flight: f, delivery: *d}
	f.mu.Lock()
	before := f.attempts[d.DeliveryTag]
	if f.attempts == nil {
		f.attempts = make(map[uint64]*attempt)
	}
	f.attempts[d.DeliveryTag] = a
	f.mu.Unlock()
	if before != nil { // a recovered channel counts from 1 again
		before.isClosed()
	}
	return a
}

func (f *flight) remove(a *attempt) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.attempts[a.delivery.DeliveryTag] == a {
		delete(f.attempts, a.delivery.DeliveryTag)
	}
}

func (f *flight) get(tag uint64) *attempt {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.attempts[tag]
}

// only returns the message of c that is being processed, if there is exactly one. A message
// that is being offered may already have been taken by the caller: then its relay is about
// to record that.
func (f *flight) only(c *consumption) *attempt {
	for range 10 {
		taken, offered := f.of(c)
		if taken != nil || offered == nil {
			return taken
		}
		runtime.Gosched()
	}
	return nil
}

// of returns the one message of c that has been taken, or nil if there is none or several,
// and the one that is being offered.
func (f *flight) of(c *consumption) (taken, offered *attempt) {
	f.mu.Lock()
	defer f.mu.Unlock()
	several := false
	for _, a := range f.attempts {
		switch {
		case a.consumption != c:
		case !a.isTaken.Load():
			offered = a
		case taken != nil:
			several = true
		default:
			taken = a
		}
	}
	if several {
		return nil, nil
	}
	return taken, offered
}

// before returns the other messages that a settlement with multiple set applies to.
func (f *flight) before(tag uint64) (attempts []*attempt) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for t, a := range f.attempts {
		if t < tag || tag == 0 {
			attempts = append(attempts, a)
		}
	}
	return attempts
}

// close ends the spans of messages that can no longer be settled.
func (f *flight) close() {
	f.closed.Store(true)
	for _, a := range f.before(0) {
		a.isClosed()
	}
}

// fieldOf and connectionOf return the field woven into a channel, and the channel's
// connection.
var (
	fieldOf      func(*amqp.Channel) *atomic.Value
	connectionOf func(*amqp.Channel) *amqp.Connection
)

// channelFields is called when amqp091-go is initialized, which happens before this package
// is.
//
//go:linkname channelFields
func channelFields(field func(*amqp.Channel) *atomic.Value, connection func(*amqp.Channel) *amqp.Connection) {
	fieldOf, connectionOf = field, connection
}

// attemptOf returns the attempt that belongs to a delivery as received, or nil.
func attemptOf(d *amqp.Delivery) *attempt {
	host, _ := d.Acknowledger.(*amqp.Channel)
	if host == nil || fieldOf == nil {
		return nil
	}
	if c, ok := fieldOf(host).Load().(*channel); ok {
		return c.flight.get(d.DeliveryTag)
	}
	return nil
}

// channelSettle is called at the start of a channel's Ack, Nack and Reject, and so by those
// of a delivery.
//
//go:linkname channelSettle
func channelSettle(field *atomic.Value, method byte, tag uint64, multiple, requeue bool) (err error, done bool) {
	c, ok := field.Load().(*channel)
	if !ok || isInside() {
		return nil, false
	}
	call, how := settlement(method, tag, multiple, requeue)
	if multiple {
		for _, other := range c.flight.before(tag) {
			defer other.settledWith(how)
		}
	}
	if a := c.flight.get(tag); a != nil {
		return a.settle(call)
	}
	return nil, false
}

func settlement(
	method byte, tag uint64, multiple, requeue bool,
) (call func(amqp.Acknowledger) error, how amqptrace.Settlement) {
	switch {
	case method == 'a':
		return func(to amqp.Acknowledger) error { return to.Ack(tag, multiple) }, amqptrace.Ack
	case requeue:
		how = amqptrace.Requeue
	case method == 'n':
		how = amqptrace.Nack
	default:
		how = amqptrace.Reject
	}
	if method == 'n' {
		return func(to amqp.Acknowledger) error { return to.Nack(tag, multiple, requeue) }, how
	}
	return func(to amqp.Acknowledger) error { return to.Reject(tag, requeue) }, how
}
