package amqptest

import (
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/mqtrace/mqtrace/internal/amqpbroker"
)

// patience is how long to wait for an expected result, generous enough for a busy machine.
var patience = 20 * time.Second

// pause is the polling interval.
const pause = 2 * time.Millisecond

// Message is a message in a queue, as it would be delivered.
type Message struct {
	amqp.Publishing

	Exchange, RoutingKey string
	Redelivered          bool
	// Unacked reports whether a consumer has the message and has not settled it.
	Unacked bool
}

// Queues returns the names of the queues, in order.
func (b *Broker) Queues() []string { return b.broker.Queues() }

// Messages returns the messages in a queue without consuming them: first the unsettled ones
// that consumers hold, then the waiting ones in the order of their delivery. A queue that
// does not exist has none.
func (b *Broker) Messages(queue string) []Message {
	held, _ := b.broker.Messages(queue)
	messages := make([]Message, len(held))
	for i, h := range held {
		messages[i] = message(h)
	}
	return messages
}

// WaitMessages waits until a queue holds n messages, including those that consumers have
// not settled, and returns them. If that does not happen within 20 seconds, the test fails.
// With n = 0 it waits until all messages are settled.
func (b *Broker) WaitMessages(queue string, n int) []Message {
	b.t.Helper()
	var messages []Message
	if !until(func() bool { messages = b.Messages(queue); return len(messages) == n }) {
		b.t.Fatalf("amqptest: %s holds %d messages, want %d", queue, len(messages), n)
	}
	return messages
}

// until reports whether done becomes true.
func until(done func() bool) bool {
	for began := time.Now(); !done(); time.Sleep(pause) {
		if time.Since(began) > patience {
			return false
		}
	}
	return true
}

func message(h amqpbroker.Held) Message {
	p := h.Properties
	return Message{
		Publishing: amqp.Publishing{
			Headers: table(p.Headers), ContentType: p.ContentType, ContentEncoding: p.ContentEncoding,
			DeliveryMode: p.DeliveryMode, Priority: p.Priority, CorrelationId: p.CorrelationID,
			ReplyTo: p.ReplyTo, Expiration: p.Expiration, MessageId: p.MessageID,
			Timestamp: p.Timestamp, Type: p.Type, UserId: p.User, AppId: p.AppID,
			Body: append([]byte(nil), h.Body...),
		},
		Exchange: h.Exchange, RoutingKey: h.Key, Redelivered: h.Redelivered, Unacked: h.Unacked,
	}
}

func table(headers map[string]any) amqp.Table {
	if headers == nil {
		return nil
	}
	t := make(amqp.Table, len(headers))
	for k, v := range headers {
		t[k] = value(v)
	}
	return t
}

// value returns a header's value as amqp091-go delivers it.
func value(v any) any {
	switch v := v.(type) {
	case map[string]any:
		return table(v)
	case []any:
		items := make([]any, len(v))
		for i, item := range v {
			items[i] = value(item)
		}
		return items
	case amqpbroker.Decimal:
		return amqp.Decimal{Scale: v.Scale, Value: v.Value}
	}
	return v
}
