package amqpbroker

import (
	"container/heap"
	"sync"
	"time"
)

// Clock is a clock that tests advance, for brokers started with [WithClock]. The effect of
// Advance does not depend on how busy the machine is.
type Clock struct {
	mu      sync.Mutex
	at      time.Time     // of a stopped clock
	runs    bool          // moves with the machine's clock, too
	advance time.Duration // of a running clock, ahead of the machine's
}

// NewClock returns a clock that starts at the current time and moves only with
// [Broker.Advance].
func NewClock() *Clock { return &Clock{at: time.Now()} }

// NewRunningClock returns a running clock, which Advance moves forward.
func NewRunningClock() *Clock { return &Clock{runs: true} }

func (c *Clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.shown()
}

func (c *Clock) shown() time.Time {
	if c.runs {
		return time.Now().Add(c.advance)
	}
	return c.at
}

// put sets the clock to t, if that is later.
func (c *Clock) put(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch ahead := t.Sub(c.shown()); {
	case ahead <= 0:
	case c.runs:
		c.advance += ahead
	default:
		c.at = t
	}
}

// WithClock makes the broker use c, which no other broker may share. By default, it uses
// the machine's clock.
func WithClock(c *Clock) Option {
	return func(cfg *config) { cfg.now = c.now }
}

// Advance moves the broker's clock forward. Everything that falls due happens at its own
// time and before Advance returns.
func (b *Broker) Advance(c *Clock, d time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	end := c.now().Add(d)
	for len(b.clock.due) > 0 && !b.clock.due[0].at.After(end) {
		a := heap.Pop(&b.clock.due).(*alarm)
		c.put(a.at)
		a.call()
	}
	c.put(end)
	select {
	case b.clock.wake <- struct{}{}: // the next alarm is due earlier than before
	default:
	}
}
