package amqpbroker

import (
	"container/heap"
	"sync"
	"time"
)

// Clock is a time that tests advance, for brokers that begin with [WithClock]. What Advance
// brings about does not depend on how busy the machine is.
type Clock struct {
	mu      sync.Mutex
	at      time.Time     // of a stopped clock
	runs    bool          // goes on by itself as well
	advance time.Duration // of a running clock, ahead of the machine's
}

// NewClock returns a clock that shows the current time and goes on only when
// [Broker.Advance] has it go on.
func NewClock() *Clock { return &Clock{at: time.Now()} }

// NewRunningClock returns a clock that goes on by itself, and that Advance puts forward.
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

// put has the clock show t, if that is later.
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

// WithClock has the broker go by c, which must be the clock of no other broker. By default,
// it goes by the machine's.
func WithClock(c *Clock) Option {
	return func(cfg *config) { cfg.now = c.now }
}

// Advance puts c, the broker's clock, forward. What is due meanwhile is done at its time, and
// before Advance returns.
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
	case b.clock.wake <- struct{}{}: // what comes next is due earlier than it was
	default:
	}
}
