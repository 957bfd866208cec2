package amqptrace

import (
	"context"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// maxHold is how long a message waits for a channel that is open, but not in the state
// "open" again. amqp091-go needs a few round trips for that.
const (
	maxHold  = 5 * time.Second
	holdStep = 10 * time.Millisecond
)

// await returns when a message may be sent: at once, unless the channel is being recovered.
// While it is closed the error is ErrClosed, and what the caller would have from the host.
func (s *channelState) await(ctx context.Context, host Channel) (moment, error) {
	var until time.Time
	for {
		s.readAll()
		at, ok, change := s.now()
		if ok {
			return at, nil
		}
		if isClosed(host) {
			return at, s.closedError()
		}
		switch now := time.Now(); {
		case until.IsZero():
			until = now.Add(maxHold)
		case now.After(until):
			return at, s.closedError()
		}
		select {
		case <-change:
		case <-time.After(holdStep): // the host does not say that it has failed to open it
		case <-s.ended:
			return at, s.closedError()
		case <-ctx.Done():
			return at, ctx.Err()
		}
	}
}

// mayBeOfAnother reports whether a message that was sent after a moment may have gone out
// while the channel was being recovered, so that its confirmation, and those of the messages
// after it, are taken for those of others.
func (s *channelState) mayBeOfAnother(at moment, confirmed *amqp.DeferredConfirmation, host Channel) bool {
	s.readAll()
	if now, ok, _ := s.now(); ok && now == at || isClosed(host) {
		return false // recovering it resolves the confirmation
	}
	select {
	case <-confirmed.Done():
	case <-time.After(settleTime): // the host may be about to resolve it
	}
	if isResolved(confirmed) && !confirmed.Acked() {
		return false
	}
	s.distrust()
	return true
}

// settleTime is more than amqp091-go needs from one step of opening or closing a channel to
// the next, which are a few instructions.
const settleTime = 10 * time.Millisecond

func isResolved(c *amqp.DeferredConfirmation) bool {
	select {
	case <-c.Done():
		return true
	default:
		return false
	}
}

// isClosed reports whether the host is closed, if it has a method for that.
func isClosed(host any) bool {
	h, ok := host.(interface{ IsClosed() bool })
	return ok && h.IsClosed()
}

// closedError is ErrClosed with what is known of the reason.
func (s *channelState) closedError() error { return withReason(ErrClosed, s.why()) }

// why is the reason why the channel was closed, nil where there is none or none is known.
func (s *channelState) why() *amqp.Error {
	s.readAll()
	reason, change := s.recovery.why()
	if change != nil {
		// The host says that it is closed a moment before it says why.
		select {
		case <-change:
		case <-s.ended:
		case <-time.After(settleTime):
		}
		s.readAll()
		reason, _ = s.recovery.why()
	}
	return reason
}
