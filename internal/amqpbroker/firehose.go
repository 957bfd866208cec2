package amqpbroker

import (
	"fmt"
	"slices"
)

// The firehose: https://www.rabbitmq.com/docs/firehose.
const (
	traceExchange = "amq.rabbitmq.trace"
	nodeName      = "mqtrace@localhost"
)

// Trace turns the firehose on and off, as rabbitmqctl trace_on and trace_off do: while
// it is on, a copy of each message that is published or delivered goes to the exchange
// amq.rabbitmq.trace.
func (b *Broker) Trace(on bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.knobs.tracing = on
}

// traceIn publishes a record of a message that was published. As in RabbitMQ, the default
// exchange is reported to have routed to every key, whether there is such a queue or not.
func (ch *channel) traceIn(m *message, routed []*queue) {
	if !ch.broker.knobs.tracing {
		return
	}
	var names []string
	if m.exchange == "" {
		names = slices.Compact(slices.Sorted(slices.Values(m.keys)))
	} else {
		for _, q := range routed {
			names = append(names, q.name)
		}
	}
	ch.trace("publish."+m.exchange, m, stringsField("routed_queues", names))
}

// traceOut publishes a record of a message that is delivered or fetched.
func (ch *channel) traceOut(queue string, m *message, redelivered bool) {
	if !ch.broker.knobs.tracing {
		return
	}
	var times uint32
	if redelivered {
		times = 1
	}
	ch.trace("deliver."+queue, m, intField("redelivered", times))
}

// trace publishes a copy of m. Copies are not traced themselves.
func (ch *channel) trace(key string, m *message, what field) {
	b := ch.broker
	if m.exchange == traceExchange {
		return
	}
	headers := table{
		stringField("exchange_name", m.exchange),
		stringsField("routing_keys", m.keys),
		tableField("properties", m.props.table()),
		stringField("node", nodeName),
		stringField("vhost", "/"),
		stringField("connection", fmt.Sprintf("%v -> %v", ch.conn.sock.RemoteAddr(), ch.conn.sock.LocalAddr())),
		intField("channel", uint32(ch.id)),
		stringField("user", b.cfg.user),
		what,
	}
	record := &message{exchange: traceExchange, key: key, keys: []string{key}, body: m.body}
	record = record.withHeaders(headers)
	now := b.clock.now()
	for _, q := range b.route(b.exchanges[traceExchange], record) {
		q.publish(record, now)
	}
}

// propertyNames are the property names that the firehose uses.
var propertyNames = map[uint16]string{
	flagContentType: "content_type", flagContentEncoding: "content_encoding", flagHeaders: "headers",
	flagDeliveryMode: "delivery_mode", flagPriority: "priority", flagCorrelationID: "correlation_id",
	flagReplyTo: "reply_to", flagExpiration: "expiration", flagMessageID: "message_id",
	flagTimestamp: "timestamp", flagType: "type", flagUserID: "user_id", flagAppID: "app_id",
	flagClusterID: "cluster_id",
}

// table shows properties as a field table. RabbitMQ writes all its numbers in 32 bits,
// the timestamp too.
func (p properties) table() table {
	var t table
	for _, flag := range propertyOrder {
		if p.flags&flag == 0 {
			continue
		}
		name := propertyNames[flag]
		switch flag {
		case flagHeaders:
			t = append(t, tableField(name, p.headers.canonical()))
		case flagDeliveryMode:
			t = append(t, intField(name, uint32(p.deliveryMode)))
		case flagPriority:
			t = append(t, intField(name, uint32(p.priority)))
		case flagTimestamp:
			t = append(t, intField(name, uint32(p.timestamp)))
		default:
			t = append(t, stringField(name, p.text[flag]))
		}
	}
	return t
}

func intField(name string, v uint32) field { return field{name, 'I', encoder{}.u32(v)} }

func stringsField(name string, all []string) field {
	items := make([]field, len(all))
	for i, s := range all {
		items[i] = stringField("", s)
	}
	return arrayField(name, items)
}
