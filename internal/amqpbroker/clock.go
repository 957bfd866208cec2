package amqpbroker

import (
	"container/heap"
	"sync"
	"time"
)

// clock calls functions when they are due, on one goroutine and with the broker's
// mutex held. Its own state is guarded by that mutex too.
type clock struct {
	mu   *sync.Mutex
	now  func() time.Time // shared by everything the broker does, TTLs included
	due  alarms
	wake chan struct{}
	quit chan struct{}
}

// alarm is one scheduled call.
type alarm struct {
	at    time.Time
	call  func()
	clock *clock
	index int // in the heap, -1 once called or cancelled
}

// cancel may be called on any alarm, nil included. The mutex must be held.
func (a *alarm) cancel() {
	if a != nil && a.index >= 0 {
		heap.Remove(&a.clock.due, a.index)
	}
}

func newClock(mu *sync.Mutex, now func() time.Time) *clock {
	return &clock{mu: mu, now: now, wake: make(chan struct{}, 1), quit: make(chan struct{})}
}

// at schedules a call of f at t. The mutex must be held.
func (c *clock) at(t time.Time, f func()) *alarm {
	a := &alarm{at: t, call: f, clock: c}
	heap.Push(&c.due, a)
	if c.due[0] == a {
		select {
		case c.wake <- struct{}{}:
		default:
		}
	}
	return a
}

func (c *clock) stop() { close(c.quit) }

func (c *clock) run() {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		timer.Reset(c.ring())
		select {
		case <-timer.C:
		case <-c.wake:
		case <-c.quit:
			return
		}
	}
}

// ring makes the calls that are due and returns how long to sleep until the next one. It
// releases the mutex between calls.
func (c *clock) ring() time.Duration {
	for {
		c.mu.Lock()
		if len(c.due) == 0 {
			c.mu.Unlock()
			return time.Hour
		}
		if wait := c.due[0].at.Sub(c.now()); wait > 0 {
			c.mu.Unlock()
			return wait
		}
		heap.Pop(&c.due).(*alarm).call()
		c.mu.Unlock()
	}
}

// alarms is a heap, soonest first.
type alarms []*alarm

func (h alarms) Len() int           { return len(h) }
func (h alarms) Less(i, j int) bool { return h[i].at.Before(h[j].at) }

func (h alarms) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}

func (h *alarms) Push(x any) {
	a := x.(*alarm)
	a.index = len(*h)
	*h = append(*h, a)
}

func (h *alarms) Pop() any {
	old := *h
	a := old[len(old)-1]
	a.index = -1
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	return a
}
