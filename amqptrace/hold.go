package amqptrace

import (
	"context"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// maxHold is how long a message waits for a channel that is being recovered to reach the
// state "open", for which amqp091-go needs a few round trips.
const (
	maxHold  = 5 * time.Second
	holdStep = 10 * time.Millisecond
)

// await returns when a message may be sent: at once, unless the channel is being recovered.
// While the channel is closed the error is ErrClosed, which wraps the one that the host
// would return.
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
		case <-time.After(holdStep): // the host does not report a failure to open it
		case <-s.ended:
			return at, s.closedError()
		case <-ctx.Done():
			return at, ctx.Err()
		}
	}
}

// mayBeOfAnother reports whether a message sent after the given moment may have gone out
// while the channel was being recovered, so that its confirmation and later ones are
// attributed to the wrong messages.
func (s *channelState) mayBeOfAnother(at moment, confirmed *amqp.DeferredConfirmation, host Channel) bool {
	if !s.recovers.Load() {
		return false // nor does the host count anew, unless it uses several channels
	}
	s.readAll()
	same, again := s.sentAt(at, confirmed.DeliveryTag)
	if again { // the host seems to have begun at one, and may be about to report that
		closed, _, change := s.outlook(at)
		if !closed {
			select {
			case <-change:
			case <-time.After(settleTime):
			}
			s.readAll()
			closed, _, _ = s.outlook(at)
		}
		same = !closed
	}
	if same || isClosed(host) {
		return false // recovery resolves the confirmation
	}
	select {
	case <-confirmed.Done():
	case <-time.After(settleTime): // the host may be about to resolve it
	}
	// The host has resolved it when it recovered the channel, unless it counted the message
	// afterwards: then this is the broker's refusal of another message.
	if isResolved(confirmed) && !confirmed.Acked() && s.follows(at, confirmed.DeliveryTag) {
		return false
	}
	s.distrust()
	return true
}

// settleTime is longer than amqp091-go needs from one step of opening or closing a channel
// to the next, which is a few instructions.
const settleTime = 10 * time.Millisecond

func isResolved(c *amqp.DeferredConfirmation) bool {
	select {
	case <-c.Done():
		return true
	default:
		return false
	}
}

// isClosed reports whether the host says that it is closed, false if it has no method for
// that.
func isClosed(host any) bool {
	h, ok := host.(interface{ IsClosed() bool })
	return ok && h.IsClosed()
}

// closedError returns ErrClosed with the reason, if it is known.
func (s *channelState) closedError() error { return withReason(ErrClosed, s.why()) }

// why returns the reason why the channel was closed, nil if there is none or it is not
// known.
func (s *channelState) why() *amqp.Error {
	s.readAll()
	reason, change := s.recovery.why()
	if change != nil {
		// The host reports that it is closed a moment before it reports why.
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
