package amqpbroker

import "time"

// entry is a message in one queue.
//
// RabbitMQ counts two things. A delivery fails when it is rejected, to the queue or as a
// dead letter, or when its channel ends with it unsettled; nack and recover are not
// failures. Both kinds of queue count failures, and a dead letter keeps its count: in a
// quorum queue it counts towards the limit, and in a classic queue the message counts as
// redelivered. A quorum queue also counts returns, failed or not, starting from zero in
// each queue.
type entry struct {
	sequence    uint64 // its position
	level       int
	message     *message
	expires     time.Time // zero for never
	redelivered bool
	failures    int64
	returns     int64
	counted     bool // the queue shows the counts
}

// outgoing returns the message as it is delivered; a quorum queue adds the counts that are
// not 0. Failures elsewhere are shown as the number of returns, until the message returns
// here.
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
