package amqpbroker

import (
	"encoding/binary"
	"net"
	"time"
)

// knobs are settings that tests may change while the broker runs. They are guarded by the
// broker's mutex.
type knobs struct {
	blockReason   string
	unblocked     chan struct{} // closed to let publishers go on, nil if there is no alarm
	refuseConfirm bool
	delayConfirm  time.Duration
	tracing       bool // the firehose is on
}

// Frame is one frame as it went over a connection.
type Frame struct {
	// Connection is the client's address.
	Connection net.Addr
	// FromClient is the direction.
	FromClient bool
	// Type is 1 for a method, 2 for a content header, 3 for a body, 8 for a
	// heartbeat.
	Type byte
	// Channel is the channel number, 0 for the connection itself.
	Channel uint16
	// Payload is what the frame carries. It must not be kept or changed.
	Payload []byte
}

// WithFrameHook calls f for each frame read and written, concurrently from the goroutines
// of the connections, and blocks its connection while it runs. By default, there is no
// hook.
func WithFrameHook(f func(Frame)) Option {
	return func(c *config) { c.hook = f }
}

func (c *connection) showFrame(fromClient bool, kind byte, channel uint16, payload []byte) {
	if c.broker.cfg.hook != nil {
		c.broker.cfg.hook(Frame{c.sock.RemoteAddr(), fromClient, kind, channel, payload})
	}
}

// showFrames passes each complete frame in b to the hook.
func (c *connection) showFrames(fromClient bool, b []byte) {
	if c.broker.cfg.hook == nil || string(b[:4]) == "AMQP" {
		return
	}
	for len(b) > 0 {
		size := int(binary.BigEndian.Uint32(b[3:]))
		c.showFrame(fromClient, b[0], binary.BigEndian.Uint16(b[1:]), b[frameHeaderSize:frameHeaderSize+size])
		b = b[size+frameOverhead:]
	}
}

// Connection is a client's connection, for tests to end.
type Connection struct {
	// Name is the name that the client gave itself (connection_name), if any.
	Name string
	// Addr is the client's address.
	Addr net.Addr

	c *connection
}

// Cut drops the connection without closing it properly, as a network failure does.
func (c Connection) Cut() {
	c.c.broker.mu.Lock()
	defer c.c.broker.mu.Unlock()
	c.c.cut()
}

// Connections returns the open connections, in no particular order.
func (b *Broker) Connections() []Connection {
	b.mu.Lock()
	defer b.mu.Unlock()
	all := make([]Connection, 0, len(b.connections))
	for c := range b.connections {
		all = append(all, Connection{c.clientName, c.sock.RemoteAddr(), c})
	}
	return all
}

// CutConnections cuts every connection and returns how many there were. The broker
// goes on, with the queues and messages that outlive a connection.
func (b *Broker) CutConnections() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := len(b.connections)
	for c := range b.connections {
		c.cut()
	}
	return n
}

// BlockPublishers does what a resource alarm does in RabbitMQ: from its next
// message on, a connection that publishes is notified (connection.blocked, with the
// reason), and is not read from until [Broker.UnblockPublishers].
// See https://www.rabbitmq.com/docs/connection-blocked.
func (b *Broker) BlockPublishers(reason string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.knobs.blockReason = reason
	if b.knobs.unblocked == nil {
		b.knobs.unblocked = make(chan struct{})
	}
}

// UnblockPublishers ends the effect of BlockPublishers.
func (b *Broker) UnblockPublishers() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.knobs.unblocked == nil {
		return
	}
	close(b.knobs.unblocked)
	b.knobs.unblocked = nil
	for c := range b.connections {
		b.unblock(c)
	}
}

func (b *Broker) unblock(c *connection) {
	if c.blocked && c.can("connection.blocked") {
		c.send(0, connectionUnblocked, nil)
	}
	c.blocked = false
}

// holdIfBlocked keeps the reading goroutine of a publisher waiting while
// publishers are blocked.
func (c *connection) holdIfBlocked() {
	if !c.published {
		return
	}
	c.published = false
	b := c.broker
	b.mu.Lock()
	wait := b.knobs.unblocked
	if wait == nil || c.state != stateRunning {
		b.mu.Unlock()
		return
	}
	if !c.blocked && c.can("connection.blocked") {
		c.send(0, connectionBlocked, encoder{}.shortstr(b.knobs.blockReason))
	}
	c.blocked = true
	b.mu.Unlock()
	c.flushConfirms()
	select {
	case <-wait:
	case <-c.gone:
	}
}

// RefuseConfirms makes the broker drop every message published in confirm mode and answer
// with basic.nack, until it is called with false.
func (b *Broker) RefuseConfirms(refuse bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.knobs.refuseConfirm = refuse
}

// DelayConfirms delays each confirm until d after the message was accepted; 0 ends the
// delay. Pending confirms keep their times.
func (b *Broker) DelayConfirms(d time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.knobs.delayConfirm = d
}
