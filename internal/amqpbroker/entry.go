package amqpbroker

import "time"

// entry is a message in one queue.
//
// RabbitMQ counts two things. A delivery fails when it is rejected, to the queue or as a
// dead letter, or when its channel ends with it unsettled; nack and recover are no
// failures. Both kinds of queue count failures, and a dead letter takes the number along:
// into a quorum queue, where it counts towards the limit, and into a classic queue, where
// the message counts as redelivered. A quorum queue also counts what comes back to it,
// failed or not, anew for each queue.
type entry struct {
	sequence    uint64 // its place
	level       int
	message     *message
	expires     time.Time // zero for never
	redelivered bool
	failures    int64
	returns     int64
	counted     bool // the queue is one that shows the counts
}

// outgoing is the message as it is delivered: by a quorum queue with the counts that are
// not 0. What has failed elsewhere shows as having come back so often, until it does.
func (e *entry) outgoing() *message {
	acquired := e.returns
	if acquired == 0 {
		acquired = e.failures
	}
	if !e.counted || acquired == 0 {
		return e.message
	}
	headers := e.message.props.headers.with(longField("x-acquired-count", acquired))
	if e.failures > 0 {
		headers = headers.with(longField("x-delivery-count", e.failures))
	}
	return e.message.withHeaders(headers)
}
