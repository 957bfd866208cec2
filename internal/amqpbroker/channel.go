package amqpbroker

import (
	"errors"
)

// channel is one channel of a connection. state and content belong to the connection's
// reading goroutine; the broker's mutex guards everything else.
type channel struct {
	id     uint16
	conn   *connection
	broker *Broker

	state   channelState
	content *content // being assembled, nil between methods

	ended     bool
	consumers map[string]*consumer
	unacked   deque[*delivery] // by delivery tag
	tag       uint64           // the last delivery tag assigned
	lastQueue string           // what an empty queue name stands for
	prefetch  int              // for consumers to come

	confirms *confirmer   // nil unless in confirm mode
	tx       *transaction // nil unless in transaction mode
	reply    *replier     // direct reply-to consumer, nil if there is none
}

type channelState int

const (
	channelStarting channelState = iota
	channelRunning
	channelClosing // channel.close was sent
)

// content is a basic.publish whose header or body has not arrived yet.
type content struct {
	publish publishArgs
	header  bool // the header has arrived
	size    uint64
	left    uint64
	raw     []byte
	body    []byte
}

func newChannel(c *connection, id uint16) *channel {
	return &channel{id: id, conn: c, broker: c.broker, consumers: make(map[string]*consumer)}
}

// frame acts on a method, header or body frame.
func (ch *channel) frame(kind byte, payload []byte) error {
	switch {
	case ch.content == nil && kind == frameMethod:
		return ch.method(payload)
	case ch.content == nil:
		return failBlameless(unexpectedFrame, "expected method frame, got non method frame instead")
	case !ch.content.header && kind == frameHeader:
		return blame(ch.contentHeader(payload), basicPublish)
	case !ch.content.header:
		return blame(fail(unexpectedFrame, "expected content header for class %d, got non content header frame instead", classBasic), basicPublish)
	case kind == frameBody:
		return blame(ch.contentBody(payload), basicPublish)
	}
	return blame(fail(unexpectedFrame, "expected content body, got non content body frame instead"), basicPublish)
}

func (ch *channel) method(payload []byte) error {
	d := &decoder{b: payload}
	id := methodID(d.u32())
	d.arguments()
	if d.bad {
		return failBlameless(frameError, "type %d, %s: unknown_frame", frameMethod, snippet(payload))
	}
	if !known[id] {
		return errCrashed
	}
	if id == basicPublish {
		args, err := readPublish(d)
		if err != nil {
			return blame(err, basicPublish)
		}
		ch.content = &content{publish: args}
		return nil
	}
	return ch.resolve(ch.carryOut(id, d), id)
}

// carryOut executes a method without content.
func (ch *channel) carryOut(id methodID, d *decoder) error {
	switch {
	case id == channelClose:
		return ch.close(d)
	case id == channelCloseOk && ch.state == channelClosing:
		ch.remove()
		return nil
	case ch.state == channelClosing:
		return nil
	case id == channelOpen:
		return ch.open(d)
	case ch.state == channelStarting:
		return fail(channelError, "expected 'channel.open'")
	}
	op, ok := operations[id]
	if !ok {
		return fail(commandInvalid, "unimplemented method")
	}
	ch.broker.mu.Lock()
	defer ch.broker.mu.Unlock()
	err := op(ch, d)
	if errors.Is(err, errUndecodable) {
		return d.undecodable()
	}
	return err
}

// errUndecodable is returned by an operation whose arguments are malformed.
var errUndecodable = errors.New("amqpbroker: malformed arguments")

// resolve closes the channel if err is a channel exception. It returns any other error, for
// the connection to handle.
func (ch *channel) resolve(err error, id methodID) error {
	var e *exception
	if !errors.As(blame(err, id), &e) || e.hard() {
		return err
	}
	ch.conn.flushConfirms()
	ch.broker.mu.Lock()
	defer ch.broker.mu.Unlock()
	ch.end()
	ch.state = channelClosing
	ch.send(channelClose, encoder{}.u16(e.code).shortstr(e.replyText()).u16(e.culprit.class()).u16(e.culprit.method()))
	return nil
}

func (ch *channel) open(d *decoder) error {
	d.shortstr()
	if !d.done() {
		return d.undecodable()
	}
	if ch.state != channelStarting {
		return fail(channelError, "second 'channel.open' seen")
	}
	ch.state = channelRunning
	ch.send(channelOpenOk, encoder{}.u32(0))
	return nil
}

func (ch *channel) close(d *decoder) error {
	d.u16()
	d.shortstr()
	d.u32()
	if !d.done() {
		return d.undecodable()
	}
	if ch.state == channelStarting {
		return fail(channelError, "expected 'channel.open'")
	}
	ch.conn.flushConfirms()
	if ch.state == channelClosing { // both sides closed at once: the peer's close-ok is still to come
		ch.send(channelCloseOk, nil)
		return nil
	}
	ch.remove()
	ch.send(channelCloseOk, nil)
	return nil
}

// remove frees the channel's number.
func (ch *channel) remove() {
	ch.broker.mu.Lock()
	defer ch.broker.mu.Unlock()
	ch.end()
	delete(ch.conn.channels, ch.id)
}

// end removes the channel from the broker's state: consumers are removed, and
// unacknowledged messages return to their queues.
func (ch *channel) end() {
	if ch.ended {
		return
	}
	ch.ended = true
	delete(ch.conn.confirming, ch)
	if ch.confirms != nil {
		ch.confirms.later.cancel()
	}
	ch.endReplies()
	if ch.tx != nil {
		ch.tx.restore(ch)
	}
	ch.unsubscribe()
	ch.requeue(ch.unacked.drain(), true)
	for _, c := range ch.consumers {
		c.queue.lostConsumer()
	}
	ch.consumers = nil
}

// unsubscribe stops deliveries to the channel.
func (ch *channel) unsubscribe() {
	for _, c := range ch.consumers {
		c.queue.drop(c)
	}
}

func (ch *channel) send(id methodID, args encoder) { ch.conn.send(ch.id, id, args) }

// answer sends the reply to a method, unless the client asked for none.
func (ch *channel) answer(noWait bool, id methodID, args encoder) {
	if !noWait {
		ch.send(id, args)
	}
}

func (ch *channel) contentHeader(payload []byte) error {
	d := &decoder{b: payload}
	class, weight, size := d.u16(), d.u16(), d.u64()
	switch {
	case d.bad:
		return failBlameless(frameError, "type %d, %s: unknown_frame", frameHeader, snippet(payload))
	case class != classBasic:
		return fail(unexpectedFrame, "expected content header for class %d, got one for class %d instead", classBasic, class)
	case weight != 0:
		return fail(unexpectedFrame, "expected content header for class %d, got non content header frame instead", classBasic)
	case size > maxContentSize:
		return fail(frameError, "content body size %d exceeds maximum allowed size %d", size, maxContentSize)
	}
	ch.content.header, ch.content.size, ch.content.left, ch.content.raw = true, size, size, d.b
	if size == 0 {
		return ch.contentDone()
	}
	return nil
}

func (ch *channel) contentBody(payload []byte) error {
	if uint64(len(payload)) > ch.content.left {
		return fail(frameError, "content body frame exceeds remaining content size")
	}
	ch.content.left -= uint64(len(payload))
	// A body too large for a message is counted, not kept.
	if ch.state == channelRunning && ch.content.size <= ch.broker.cfg.maxMessageSize {
		if ch.content.body == nil && ch.content.left == 0 {
			ch.content.body = payload // all in one frame, which nothing else refers to
		} else {
			ch.content.body = append(ch.content.body, payload...)
		}
	}
	if ch.content.left == 0 {
		return ch.contentDone()
	}
	return nil
}

func (ch *channel) contentDone() error {
	content := ch.content
	ch.content = nil
	ch.conn.published = true
	switch ch.state {
	case channelStarting:
		return fail(channelError, "expected 'channel.open'")
	case channelClosing:
		return nil
	case channelRunning:
	}
	ch.broker.mu.Lock()
	err := ch.publish(content, ch.broker.clock.now())
	ch.broker.mu.Unlock()
	return ch.resolve(err, basicPublish)
}

func (ch *channel) flow(d *decoder) error {
	active := d.u8()&1 != 0
	if !d.done() {
		return errUndecodable
	}
	if !active {
		return fail(notImplemented, "active=false")
	}
	ch.send(channelFlowOk, encoder{}.bit(true))
	return nil
}

func (ch *channel) accessRequest(d *decoder) error {
	d.shortstr()
	d.u8()
	if !d.done() {
		return errUndecodable
	}
	ch.send(accessRequestOk, encoder{}.u16(1))
	return nil
}
