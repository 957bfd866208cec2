package amqpbroker

import "time"

// entry is a message in one queue.
type entry struct {
	sequence    uint64 // its place
	level       int
	message     *message
	expires     time.Time // zero for never
	redelivered bool
	returns     int64 // how often it was delivered and came back
	counted     bool  // x-delivery-count is to be shown
}

// outgoing is the message as it is delivered. Of a quorum queue it says how often
// it came back; RabbitMQ does not say 0 to a consumer, but does for basic.get.
func (e *entry) outgoing(got bool) *message {
	if !e.counted || e.returns == 0 && !got {
		return e.message
	}
	return e.message.withHeaders(e.message.props.headers.with(longField("x-delivery-count", e.returns)))
}
