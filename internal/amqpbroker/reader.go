package amqpbroker

import (
	"encoding/binary"
	"io"
)

// readFrame reads one frame and acts on it. It never allocates more for a frame than the
// negotiated size.
func (c *connection) readFrame() error {
	c.out.waitForRoom() // each frame may require a large answer
	var head [frameHeaderSize]byte
	if _, err := io.ReadFull(c.in, head[:]); err != nil {
		return err
	}
	kind, id := head[0], binary.BigEndian.Uint16(head[1:])
	size := binary.BigEndian.Uint32(head[3:])
	// RabbitMQ lets a peer exceed the limit by the size of an empty frame.
	if c.frameMax != 0 && size > c.frameMax {
		return c.lostSync(failBlameless(frameError, "type %d, all octets = <<>>: {frame_too_large,%d,%d}", kind, size, c.frameMax-frameOverhead))
	}
	payload, err := readPayload(c.in, int(size)+1)
	if err != nil {
		return err
	}
	end := payload[size]
	payload = payload[:size]
	if end != frameEnd {
		return c.lostSync(failBlameless(frameError, "type %d, %s: {invalid_frame_end_marker,%d}", kind, snippet(payload), end))
	}
	c.showFrame(true, kind, id, payload)
	if c.lastCall.Load() != nil && c.state < stateClosing {
		c.state = stateClosing
	}
	return c.raise(c.handleFrame(kind, id, payload))
}

// readPayload reads n octets, allocating memory as they arrive.
func readPayload(r io.Reader, n int) ([]byte, error) {
	const step = 128<<10 + 1
	buf := make([]byte, 0, min(n, step))
	for len(buf) < n {
		at := len(buf)
		buf = append(buf, make([]byte, min(n-at, step))...)
		if _, err := io.ReadFull(r, buf[at:]); err != nil {
			return nil, err
		}
	}
	return buf, nil
}

func (c *connection) handleFrame(kind byte, id uint16, payload []byte) error {
	if c.state == stateClosing && id != 0 {
		return nil
	}
	if id == 0 {
		return c.handleFrame0(kind, payload)
	}
	switch kind {
	case frameHeartbeat:
		return failBlameless(unexpectedFrame, "type %d, %s", kind, snippet(payload))
	case frameMethod, frameHeader, frameBody:
	default:
		return failBlameless(frameError, "type %d, %s: unknown_frame", kind, snippet(payload))
	}
	if c.state != stateRunning {
		return failBlameless(unexpectedFrame, "type %d, %s", kind, snippet(payload))
	}
	ch, ok := c.channels[id]
	if !ok {
		if c.channelMax != 0 && len(c.channels) >= int(c.channelMax) {
			return failBlameless(notAllowed, "number of channels opened (%d) has reached the negotiated channel_max (%d)", len(c.channels), c.channelMax)
		}
		ch = newChannel(c, id)
		c.broker.mu.Lock()
		c.channels[id] = ch
		c.broker.mu.Unlock()
	}
	return ch.frame(kind, payload)
}

// lostSync raises e and ends reading.
func (c *connection) lostSync(e error) error {
	_ = c.raise(e)
	return errLostSync
}

// handleFrame0 acts on a frame on channel 0.
func (c *connection) handleFrame0(kind byte, payload []byte) error {
	d := &decoder{b: payload}
	switch kind {
	case frameHeartbeat:
		if len(payload) == 0 {
			return nil
		}
	case frameMethod:
		id := methodID(d.u32())
		d.arguments()
		if !d.bad {
			if !known[id] {
				return errCrashed
			}
			return blame(c.handleMethod0(id, d), id)
		}
	case frameHeader, frameBody:
		if c.state == stateClosing {
			return nil
		}
		return failBlameless(unexpectedFrame, "type %d, %s", kind, snippet(payload))
	}
	if c.state == stateClosing {
		return nil
	}
	return failBlameless(frameError, "type %d, %s: unknown_frame", kind, snippet(payload))
}

func (c *connection) handleMethod0(id methodID, d *decoder) error {
	switch {
	case id == connectionClose && c.state >= stateOpening:
		d.u16()
		d.shortstr()
		d.u32()
		if !d.done() {
			return d.undecodable()
		}
		c.flushConfirms()
		c.broker.mu.Lock()
		c.dropChannels()
		c.broker.mu.Unlock()
		c.send(0, connectionCloseOk, nil)
		c.state = stateClosed
		return nil
	case id == connectionCloseOk:
		if c.state == stateClosing {
			c.state = stateClosed
			return nil
		}
	case c.state == stateClosing:
		return nil
	case id == connectionUpdateSecret && c.state == stateRunning:
		d.longstr()
		d.shortstr()
		if !d.done() {
			return d.undecodable()
		}
		c.send(0, connectionSecretOk, nil)
		return nil
	}
	return fail(channelError, "unexpected method in connection state %s", c.stateName())
}

func (c *connection) stateName() string {
	return [...]string{"starting", "tuning", "opening", "running", "closing", "closed"}[c.state]
}
