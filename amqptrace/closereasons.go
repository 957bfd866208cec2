package amqptrace

import (
	"errors"
	"sync"
	"sync/atomic"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// closeReasons keeps why the broker has closed a consumer's channel, since whoever calls a
// method afterwards hears amqp.ErrClosed and no more. It needs no goroutine: a channel is
// closed seldom.
type closeReasons struct {
	start  sync.Once
	events atomic.Pointer[chan *amqp.Error]
	reason atomic.Pointer[amqp.Error]
}

// closingsSize is how many closings there may be between two deliveries of a consumer. For a
// listener that is full amqp091-go's recovery waits 5 s.
const closingsSize = 64

// watch starts to keep the reasons, and forgets that of a closing that was recovered from.
func (r *closeReasons) watch(ch *amqp.Channel) {
	events := r.events.Load()
	if events == nil {
		r.start.Do(func() {
			c := ch.NotifyClose(make(chan *amqp.Error, closingsSize))
			r.events.Store(&c)
		})
		return
	}
	if len(*events) > 0 || r.reason.Load() != nil {
		if _ = r.read(); !ch.IsClosed() {
			r.reason.Store(nil)
		}
	}
}

// read reads what the host has said of closings and returns the reason of the last one.
func (r *closeReasons) read() *amqp.Error {
	if events := r.events.Load(); events != nil {
		for len(*events) > 0 {
			select {
			case e := <-*events:
				r.reason.Store(e)
			default: // somebody else was faster
			}
		}
	}
	return r.reason.Load()
}

// explain returns err with the reason why the channel was closed, if it says no more than
// that it is.
func (r *closeReasons) explain(err error) error {
	if !errors.Is(err, amqp.ErrClosed) {
		return err
	}
	reason := r.read()
	if events := r.events.Load(); reason == nil && events != nil {
		// The host says that it is closed a moment before it says why.
		select {
		case e := <-*events: // nil where the program has closed it
			r.reason.Store(e)
		case <-time.After(settleTime):
		}
		reason = r.read()
	}
	return withReason(err, reason)
}
