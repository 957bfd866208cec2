package amqptrace

import (
	"sync"

	amqp "github.com/rabbitmq/amqp091-go"
)

// closings counts how often a publisher's channel was closed, by an error or for
// good. A channel that amqp091-go recovers is open again by the time that somebody
// asks about a message sent before, and its pending confirmations have been resolved
// as not acked, like refused ones. The host tells of the closing before that.
type closings struct {
	mu     sync.Mutex
	events chan *amqp.Error // nil before the first use and after the last event
	begun  bool
	n      int
}

// closingsSize is how many closings there may be between two uses of a publisher. For a
// listener that is full amqp091-go's recovery waits 5 s.
const closingsSize = 256

// count is how many closings there were until now.
func (c *closings) count(host Channel) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.begun {
		c.begun = true
		if h, ok := host.(interface {
			NotifyClose(c chan *amqp.Error) chan *amqp.Error
		}); ok {
			c.events = h.NotifyClose(make(chan *amqp.Error, closingsSize))
		}
	}
	for {
		select {
		case _, ok := <-c.events:
			c.n++
			if !ok { // closed for good
				c.events = nil
			}
		default:
			return c.n
		}
	}
}

// since tells whether the channel has been closed since there were n closings.
func (c *closings) since(n int, host Channel) bool {
	if c.count(host) != n {
		return true
	}
	h, ok := host.(interface{ IsClosed() bool })
	return ok && h.IsClosed()
}
