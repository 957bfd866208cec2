package amqptrace

import (
	"errors"
	"sync"
	"sync/atomic"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// closeReasons keeps the reason why the broker closed a consumer's channel, because methods
// called afterwards return only amqp.ErrClosed. It needs no goroutine, since channels are
// seldom closed.
type closeReasons struct {
	start  sync.Once
	events atomic.Pointer[chan *amqp.Error]
	reason atomic.Pointer[amqp.Error]

	closings atomic.Uint64 // read so far
}

// closingsSize is how many closings there may be between two deliveries of a consumer. When
// a listener is full, amqp091-go's recovery waits for 5 s.
const closingsSize = 64

// watch starts to keep the reasons, and forgets the reason of a closing that was recovered
// from.
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

// read reads the host's pending notifications of closings and returns the reason of the
// last one.
func (r *closeReasons) read() *amqp.Error {
	if events := r.events.Load(); events != nil {
		for len(*events) > 0 {
			select {
			case e := <-*events:
				r.closed(e)
			default: // another goroutine was faster
			}
		}
	}
	return r.reason.Load()
}

func (r *closeReasons) closed(e *amqp.Error) {
	r.reason.Store(e)
	r.closings.Add(1)
}

// explain adds the reason why the channel was closed to an err that says only that it is
// closed.
func (r *closeReasons) explain(err error) error {
	if !errors.Is(err, amqp.ErrClosed) {
		return err
	}
	reason := r.read()
	if events := r.events.Load(); reason == nil && events != nil {
		// The host reports that it is closed a moment before it reports why.
		select {
		case e := <-*events: // nil if the program closed it
			r.closed(e)
		case <-time.After(settleTime):
		}
		reason = r.read()
	}
	return withReason(err, reason)
}
