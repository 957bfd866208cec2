package amqptrace

import (
	"sync"
	"sync/atomic"

	amqp "github.com/rabbitmq/amqp091-go"
)

// recovery tracks whether the host's channel is closed or being recovered.
//
// amqp091-go counts the messages that are sent on a channel to know which one a
// confirmation is for, and starts again at one when it recovers the channel. RabbitMQ
// counts from when the channel is in confirm mode again, which is a little later. A message
// that is sent in between is counted by only one of them, and from then on each
// confirmation is attributed to the wrong message. amqp091-go advises publishing nothing
// until the channel is in the state "open" again, so publishers of this package send
// nothing from a closing until then. If a message may have been sent in between
// nevertheless, they ignore the channel's confirmations until it is closed the next time.
// Messages published on the channel directly are not seen.
// https://github.com/rabbitmq/amqp091-go/blob/v1.14.0/channel.go (reconnectChannel)
type recovery struct {
	// suspended is true from a closing until the channel is open again.
	suspended atomic.Bool

	mu         sync.Mutex
	moment     moment
	reason     *amqp.Error   // of the last closing, nil if the program closed the channel
	sent       bool          // a message was sent before the channel's state was known
	untrusted  int           // 1 + the session whose confirmations are ignored, or 0
	recovering bool          // a closing or a change of state was seen, and no opening since
	numbers    [2]numbers    // of the session and of the one before
	next       chan struct{} // closed when any of this changes
}

// A moment is a point in the life of a channel.
type moment struct {
	closings int
	session  int // counts recoveries

	// gone is true once the host has closed its listeners, for good. If its recovery of the
	// channel fails, it does so and may nevertheless open the channel again when it recovers
	// the connection. Nothing is known about such a channel.
	gone bool
}

// closed records that the channel was closed, by an error or for good. If the host does not
// report recoveries, as a wrapper of channels may not, it may open a channel at any time.
func (r *recovery) closed(e *amqp.Error, forGood, reported bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if e != nil {
		r.reason = e
	}
	r.moment.gone = forGood
	r.recovering = true
	r.moment.closings++
	r.suspended.Store(reported && !forGood) // a channel that is gone reports its own errors
	r.wake()
}

// wake wakes everything that waits for a change.
func (r *recovery) wake() {
	if r.next != nil {
		close(r.next)
		r.next = nil
	}
}

func (r *recovery) changed(to amqp.LifeCycleState) {
	r.mu.Lock()
	defer r.mu.Unlock()
	defer r.wake()
	switch to {
	case amqp.StateReconnecting:
		// The host does not report a closing while it restores the topology.
		r.moment.closings++
		r.recovering = true
		r.suspended.Store(!r.moment.gone)
	case amqp.StateOpen:
		r.moment.session++
		r.numbers = [...]numbers{{}, r.numbers[0]}
		if !r.recovering && r.sent {
			// The channel was being recovered when its first publisher was created.
			r.untrusted = r.moment.session + 1
		}
		r.recovering, r.reason = false, nil
		r.suspended.Store(false)
	default:
	}
}

// now returns the present moment. ok is false if the channel was closed and is not open
// again; change is then closed at the next change.
func (r *recovery) now() (_ moment, ok bool, change <-chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.suspended.Load() {
		r.sent = true
		return r.moment, true, nil
	}
	return r.moment, false, r.nextChange()
}

// sentAt reports whether the channel is still as it was at the given moment, and notes the
// number that the host gave to a message sent since then. again is true if another message
// seems to have had it.
func (r *recovery) sentAt(at moment, number uint64) (same, again bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.suspended.Load() || r.moment != at {
		return false, false
	}
	return true, !r.numbers[0].add(number)
}

// follows reports whether the number of a message continues those of the session at the
// given moment. The host begins again at one when it recovers the channel.
func (r *recovery) follows(at moment, number uint64) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	ago := r.moment.session - at.session
	return ago < len(r.numbers) && r.numbers[ago].upTo > 0 && number > r.numbers[ago].upTo
}

// distrust marks the confirmations of the current session as unreliable, or of the next one
// if the channel is not open yet.
func (r *recovery) distrust() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.untrusted = r.moment.session + 1
	if r.recovering {
		r.untrusted++
	}
	r.wake()
}

// outlook reports whether the channel has been closed since the given moment, and whether its
// confirmation of a message that was sent then can be relied on. change is closed when either
// may be different.
func (r *recovery) outlook(at moment) (closed, trusted bool, change <-chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.moment.closings != at.closings, !at.gone && r.untrusted != at.session+1, r.nextChange()
}

// why returns the reason of the last closing. If there is none, change is closed when one
// may be known; it is nil if none is to be expected.
func (r *recovery) why() (reason *amqp.Error, change <-chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.reason != nil || r.moment.gone {
		return r.reason, nil
	}
	return nil, r.nextChange()
}

func (r *recovery) nextChange() <-chan struct{} {
	if r.next == nil {
		r.next = make(chan struct{})
	}
	return r.next
}
