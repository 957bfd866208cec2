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

// inOwnTime plays a scenario on an in-process broker of its own, whose time goes on where
// the scenario sleeps and nowhere else: that the machine was busy expires nothing.
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

// barrier returns once the broker has dealt with all that was sent, by opening a channel
// that nobody uses. What it has said meanwhile is there for next.
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
			break // which next will see too
		}
		if channel == own && binary.BigEndian.Uint32(payload) == methods["channel.open-ok"].id {
			break
		}
		said = appendFrame(said, kind, channel, payload)
	}
	p.in = bufio.NewReader(io.MultiReader(bytes.NewReader(said), p.in))
}
