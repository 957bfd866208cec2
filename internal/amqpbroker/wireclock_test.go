package amqpbroker_test

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"io"
	"testing"
	"time"

	"github.com/mqtrace/mqtrace/internal/amqpbroker"
)

// inOwnTime plays a scenario on a separate in-process broker, whose time advances only when
// the scenario sleeps, so that nothing expires because the machine is busy.
func (s scenario) inOwnTime(t *testing.T, release string) {
	clock := amqpbroker.NewClock()
	b := start(t, amqpbroker.WithClock(clock))
	p := newPlay(t, b.URL())
	p.sleep = func(d time.Duration) {
		for _, c := range p.conns {
			c.barrier()
		}
		b.Advance(clock, d)
	}
	s.verify(p, release, 0)
}

// barrier returns once the broker has handled everything that was sent, by opening a
// channel that nobody uses. What it sent meanwhile is kept for next.
func (p *peer) barrier() {
	if p.in == nil {
		return
	}
	p.barriers++
	const channelMax = 2047
	own := channelMax - p.barriers
	p.method(own, "channel.open", nil)
	_ = p.sock.SetReadDeadline(time.Now().Add(patience))
	var said []byte
	for {
		channel, kind, payload, err := p.readFrame()
		if err != nil {
			break // which next will see, too
		}
		if channel == own && binary.BigEndian.Uint32(payload) == methods["channel.open-ok"].id {
			break
		}
		said = appendFrame(said, kind, channel, payload)
	}
	p.in = bufio.NewReader(io.MultiReader(bytes.NewReader(said), p.in))
}
