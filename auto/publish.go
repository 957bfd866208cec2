package auto

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	_ "unsafe" // for go:linkname

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/mqtrace/mqtrace/amqptrace"
)

// channel is what is known about an *amqp.Channel. It is kept in a field woven into
// amqp.Channel, so that it lives as long as the channel.
type channel struct {
	options   []amqptrace.Option
	publisher func() *amqptrace.Publisher
	flight    flight
}

func channelOf(field *atomic.Value, host *amqp.Channel) *channel {
	if c, ok := field.Load().(*channel); ok {
		return c
	}
	c := &channel{options: settings().amqp}
	if conn := connectionOf(host); conn != nil {
		c.options = append(slices.Clip(c.options), amqptrace.WithConnection(conn))
	}
	c.publisher = sync.OnceValue(func() *amqptrace.Publisher { return amqptrace.NewPublisher(host, c.options...) })
	if !field.CompareAndSwap(nil, c) {
		c, _ = field.Load().(*channel)
	}
	return c
}

// channelPublish is called at the start of all of a channel's publishing methods. If done
// is true, it has published the message.
//
//go:linkname channelPublish
func channelPublish(
	ctx context.Context, field *atomic.Value, host *amqp.Channel, exchange, key string,
	mandatory, immediate bool, msg amqp.Publishing,
) (confirmation *amqp.DeferredConfirmation, err error, done bool) {
	if off() || isInside() || hasStarted(msg.Headers) {
		return nil, nil, false
	}
	ctx = current(ctx)
	defer leave(enter())
	confirmation, err = channelOf(field, host).publisher().PublishWithDeferredConfirmWithContext(
		ctx, exchange, key, mandatory, immediate, msg)
	return confirmation, err, true
}

// byHand is called at the start of the functions of amqptrace and asynqtrace that make a
// span themselves around a woven call.
//
//go:linkname byHand
func byHand() func() {
	before := enter()
	return func() { leave(before) }
}

// started holds the traceparent of each message between Publisher.StartPublish and
// Sent.End: the call that sends it makes no further span.
var started sync.Map // of *amqptrace.Sent to string, and of string to nothing

const traceparent = "traceparent"

//go:linkname publishStarted
func publishStarted(sent *amqptrace.Sent, msg *amqp.Publishing) {
	if sent == nil || msg == nil {
		return
	}
	if id, ok := msg.Headers[traceparent].(string); ok {
		started.Store(sent, id)
		started.Store(id, nil)
	}
}

//go:linkname publishEnded
func publishEnded(sent *amqptrace.Sent) {
	if id, ok := started.LoadAndDelete(sent); ok {
		started.Delete(id)
	}
}

func hasStarted(headers amqp.Table) bool {
	id, ok := headers[traceparent].(string)
	if !ok {
		return false
	}
	_, ok = started.Load(id)
	return ok
}
