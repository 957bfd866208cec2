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
// Sent.End: the call that sends it makes no further span. Messages that are not traced have
// their caller's, so that several can have the same one.
var started = struct {
	mu           sync.Mutex
	traceparents map[*amqptrace.Sent]string
	messages     map[string]int // by traceparent
}{traceparents: make(map[*amqptrace.Sent]string), messages: make(map[string]int)}

const traceparent = "traceparent"

//go:linkname publishStarted
func publishStarted(sent *amqptrace.Sent, msg *amqp.Publishing) {
	if sent == nil || msg == nil {
		return
	}
	if id, ok := msg.Headers[traceparent].(string); ok {
		started.mu.Lock()
		defer started.mu.Unlock()
		started.traceparents[sent] = id
		started.messages[id]++
	}
}

//go:linkname publishEnded
func publishEnded(sent *amqptrace.Sent) {
	started.mu.Lock()
	defer started.mu.Unlock()
	id, ok := started.traceparents[sent]
	if !ok {
		return
	}
	delete(started.traceparents, sent)
	if started.messages[id]--; started.messages[id] == 0 {
		delete(started.messages, id)
	}
}

func hasStarted(headers amqp.Table) bool {
	id, ok := headers[traceparent].(string)
	if !ok {
		return false
	}
	started.mu.Lock()
	defer started.mu.Unlock()
	return started.messages[id] > 0
}
