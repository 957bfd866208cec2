//go:build faults

package faults_test

import (
	"testing"
	"time"
)

// TestNetworkBad goes through what a bad network does short of failing, on one node.
func TestNetworkBad(t *testing.T) {
	n, at := single(t)
	p := startProxy(t, n.Addr(0))
	at.publishers, at.consumers = []string{p.url()}, []string{p.url()}
	for name, test := range map[string]func(*testing.T, *load, *proxy){
		"slow": networkSlow, "narrow": networkNarrow, "half open": networkHalfOpen, "garbled": networkGarbled,
	} {
		t.Run(name, func(t *testing.T) {
			at := at
			if name != "slow" { // which must not end a connection
				at.heartbeat = 2 * time.Second
			}
			l := startLoad(t, at)
			l.progress()
			test(t, l, p)
			p.set(func() { p.wire = wire{} })
			l.progress()
			l.stop()
			l.none("publish nacked")
		})
	}
}

// Confirmations come later by a round trip, and nothing else changes.
func networkSlow(t *testing.T, l *load, p *proxy) {
	p.set(func() { p.wire.latency = 100 * time.Millisecond })
	began := time.Now()
	l.progress()
	l.none("publish closed")
	if took := time.Since(began); took < 200*time.Millisecond {
		t.Errorf("300 messages after %v: the network is not slow", took)
	}
}

// Eight kilobytes a second are far less than the publishers have to send: they wait, the
// hasty one in vain, and late heartbeats may end a connection.
func networkNarrow(_ *testing.T, l *load, p *proxy) {
	timeouts := l.ledger.count("publish timeout")
	p.set(func() { p.wire.rate = 8 << 10 })
	l.eventually("the hasty publisher gives up waiting", func() bool {
		return l.ledger.count("publish timeout") > timeouts
	})
}

// The broker's ends are gone and the clients do not learn of it: what they send goes
// nowhere, until heartbeats are missed.
func networkHalfOpen(_ *testing.T, l *load, p *proxy) {
	p.orphan()
	l.eventually("both connections recover", func() bool {
		return l.links["publishers"].recoveries() > 0 && l.links["consumers"].recoveries() > 0
	})
	l.some("publish closed")
}

// An invalid frame ends the connection, whichever end reads it, and both connections
// recover.
func networkGarbled(t *testing.T, l *load, p *proxy) {
	for range times(4) {
		for _, up := range []bool{true, false} {
			recoveries := func() int { return l.links["publishers"].recoveries() + l.links["consumers"].recoveries() }
			before := recoveries()
			p.set(func() { p.wire.up, p.wire.down = up, !up })
			l.eventually("a connection recovers", func() bool { return recoveries() > before })
			l.progress()
		}
	}
	p.set(func() {
		if p.wire.harmed < 2 {
			t.Errorf("%d frames were damaged", p.wire.harmed)
		}
	})
}
