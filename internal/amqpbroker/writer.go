package amqpbroker

import (
	"encoding/binary"
	"net"
	"sync"
	"time"
)

// A consumer is skipped while its connection has this many octets unwritten, and nothing
// more is read from a peer that does not read its replies.
const (
	outboxFull = 1 << 20
	outboxKeep = 64 << 10 // a buffer larger than this is not kept for reuse
)

// outbox holds whole frames that wait to be written to one peer. It has its own lock, which
// may be taken under the broker's but never the other way round. Appending never waits for
// the peer.
type outbox struct {
	mu      sync.Mutex
	room    *sync.Cond // signalled when the writer has taken the contents
	pending []byte
	passed  bool // a consumer was skipped since the writer last took the contents
	ended   bool // nothing more is appended or written
	wake    chan struct{}

	finished chan struct{} // closed when the writer is done
}

func (o *outbox) init() {
	o.room = sync.NewCond(&o.mu)
	o.wake = make(chan struct{}, 1)
	o.finished = make(chan struct{})
}

// add appends frames by calling f.
func (o *outbox) add(f func(b []byte) []byte) {
	o.mu.Lock()
	if !o.ended {
		o.pending = f(o.pending)
	}
	o.mu.Unlock()
	o.signal()
}

func (o *outbox) signal() {
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

// hasRoom reports whether a delivery may be added. If not, the writer looks for deliveries
// again once it has taken the contents.
func (o *outbox) hasRoom() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.ended {
		return false
	}
	if len(o.pending) < outboxFull {
		return true
	}
	o.passed = true
	return false
}

// waitForRoom holds up the connection's own reader while the peer does not read.
func (o *outbox) waitForRoom() {
	o.mu.Lock()
	defer o.mu.Unlock()
	for len(o.pending) >= outboxFull && !o.ended {
		o.room.Wait()
	}
}

// end lets the writer finish writing the contents.
func (o *outbox) end() {
	o.mu.Lock()
	o.ended = true
	o.room.Broadcast()
	o.mu.Unlock()
	o.signal()
}

// take returns the pending output, and reports whether consumers were skipped and whether
// this was the last of it.
func (o *outbox) take(reuse []byte) (b []byte, passed, last bool) {
	if cap(reuse) > outboxKeep {
		reuse = nil
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	b, o.pending = o.pending, reuse[:0]
	passed, o.passed = o.passed, false
	o.room.Broadcast()
	return b, passed, o.ended
}

// write is the connection's writing goroutine. It ends when the outbox has ended, after
// signalling the end of output to the peer, or when the socket fails, after closing it,
// which ends the reading goroutine.
func (c *connection) write() {
	defer close(c.out.finished)
	idle := time.NewTicker(time.Hour)
	defer idle.Stop()
	var buf []byte
	for last := false; !last; {
		beat := false
		select {
		case <-c.out.wake:
		case every := <-c.heartbeats:
			idle.Reset(every)
		case <-idle.C:
			beat = true
		}
		var err error
		if buf, last, err = c.writePending(buf, beat); err != nil {
			c.out.end()
			_ = c.sock.Close()
			return
		}
	}
	if tcp, ok := c.sock.(*net.TCPConn); ok {
		_ = tcp.CloseWrite()
	}
}

// writePending writes the pending output or, if there is none, a heartbeat if one is due.
func (c *connection) writePending(buf []byte, beat bool) (_ []byte, last bool, err error) {
	for {
		var passed bool
		buf, passed, last = c.out.take(buf)
		if passed {
			c.deliverAgain()
		}
		if len(buf) == 0 && beat && !last {
			buf = append(buf, frameHeartbeat, 0, 0, 0, 0, 0, 0, frameEnd)
		}
		if len(buf) == 0 {
			return buf, last, nil
		}
		beat = false
		c.showFrames(false, buf)
		if _, err := c.sock.Write(buf); err != nil {
			return buf, last, err
		}
	}
}

// deliverAgain offers messages to this connection's consumers.
func (c *connection) deliverAgain() {
	c.broker.mu.Lock()
	defer c.broker.mu.Unlock()
	for _, ch := range c.channels {
		ch.deliverToAll()
	}
}

func appendFrame(b []byte, kind byte, channel uint16, payload ...[]byte) []byte {
	b = append(b, kind)
	b = binary.BigEndian.AppendUint16(b, channel)
	at := len(b)
	b = append(b, 0, 0, 0, 0)
	for _, p := range payload {
		b = append(b, p...)
	}
	binary.BigEndian.PutUint32(b[at:], uint32(len(b)-at-4))
	return append(b, frameEnd)
}

func appendMethod(b []byte, channel uint16, id methodID, args encoder) []byte {
	return appendFrame(b, frameMethod, channel, encoder{}.u32(uint32(id)), args)
}

// send queues a method for the peer.
func (c *connection) send(channel uint16, id methodID, args encoder) {
	c.out.add(func(b []byte) []byte { return appendMethod(b, channel, id, args) })
}

// sendContent queues a method and its content, with nothing in between.
func (c *connection) sendContent(channel uint16, id methodID, args encoder, raw, body []byte) {
	c.out.add(func(b []byte) []byte {
		b = appendMethod(b, channel, id, args)
		header := encoder{}.u16(classBasic).u16(0).u64(uint64(len(body)))
		b = appendFrame(b, frameHeader, channel, header, raw)
		size := len(body)
		if c.frameMax != 0 {
			size = int(c.frameMax) - frameOverhead
		}
		for len(body) > 0 {
			n := min(size, len(body))
			b = appendFrame(b, frameBody, channel, body[:n])
			body = body[n:]
		}
		return b
	})
}
