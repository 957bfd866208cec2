package amqpbroker

import (
	"container/heap"
	"sync"
	"time"
)

// Clock is a time that goes on only when Advance has it go on, for brokers that begin
// with WithClock. What happens then does not depend on how busy the machine is.
type Clock struct {
	mu sync.Mutex
	at time.Time
}

// NewClock starts with the time that it is.
func NewClock() *Clock { return &Clock{at: time.Now()} }

func (c *Clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *Clock) set(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = t
}

// WithClock has a broker of its own go by c.
func WithClock(c *Clock) Option {
	return func(cfg *config) { cfg.now = c.now }
}

// Advance lets time go on, and has the broker do what is due meanwhile, at its time.
func (b *Broker) Advance(c *Clock, d time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	end := c.now().Add(d)
	for len(b.clock.due) > 0 && !b.clock.due[0].at.After(end) {
		a := heap.Pop(&b.clock.due).(*alarm)
		if a.at.After(c.now()) {
			c.set(a.at)
		}
		a.call()
	}
	c.set(end)
}

// TopicMatch shows the matching of topic keys to the tests.
func TopicMatch(pattern, key string) bool {
	return topicMatch(topicWords(pattern), topicWords(key))
}
