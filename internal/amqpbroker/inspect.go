package amqpbroker

import (
	"cmp"
	"maps"
	"math"
	"slices"
	"time"
)

// A Held message is a message in a queue, for tests to inspect.
type Held struct {
	Exchange, Key string
	Redelivered   bool
	// Unacked reports whether a client has the message and has not settled it.
	Unacked bool
	// Properties are as they would be delivered.
	Properties Properties
	// Body must not be changed.
	Body []byte
}

// Properties are the properties of class basic. Those that the message does not have are
// zero.
type Properties struct {
	// Headers has the values as Go types: integers and floats of their size, bool, string,
	// []byte for type x, time.Time, nil, []any, map[string]any and [Decimal].
	Headers                                           map[string]any
	ContentType, ContentEncoding, CorrelationID       string
	ReplyTo, Expiration, MessageID, Type, User, AppID string
	DeliveryMode, Priority                            uint8
	Timestamp                                         time.Time
}

// Decimal is a value divided by ten to the power of its scale.
type Decimal struct {
	Scale uint8
	Value int32
}

// Queues returns the names of the queues, in order.
func (b *Broker) Queues() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Sorted(maps.Keys(b.queues))
}

// Messages returns what a queue holds: what clients have and have not settled, then the
// waiting messages in the order in which they would be delivered. It reports false if the
// queue does not exist.
func (b *Broker) Messages(queue string) ([]Held, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	q, ok := b.queues[queue]
	if !ok {
		return nil, false
	}
	q.expire(b.clock.now())
	held := make([]Held, 0, q.count)
	for _, e := range b.unacked(q) {
		held = append(held, e.held(true))
	}
	for _, level := range slices.Backward(q.levels) {
		for i := range level.len() {
			held = append(held, level.at(i).held(false))
		}
	}
	return held, true
}

// unacked returns the messages of q that clients have, in the order in which they were
// published.
func (b *Broker) unacked(q *queue) []*entry {
	var all []*entry
	for c := range b.connections {
		for _, ch := range c.channels {
			for i := range ch.unacked.len() {
				if d := ch.unacked.at(i); d.queue == q {
					all = append(all, d.entry)
				}
			}
		}
	}
	slices.SortFunc(all, func(a, b *entry) int { return cmp.Compare(a.sequence, b.sequence) })
	return all
}

func (e *entry) held(unacked bool) Held {
	m := e.outgoing()
	return Held{
		Exchange: m.exchange, Key: m.key, Redelivered: e.redelivered, Unacked: unacked,
		Properties: m.props.goValues(), Body: m.body,
	}
}

func (p properties) goValues() Properties {
	v := Properties{
		ContentType: p.text[flagContentType], ContentEncoding: p.text[flagContentEncoding],
		CorrelationID: p.text[flagCorrelationID], ReplyTo: p.text[flagReplyTo],
		Expiration: p.text[flagExpiration], MessageID: p.text[flagMessageID],
		Type: p.text[flagType], User: p.text[flagUserID], AppID: p.text[flagAppID],
		DeliveryMode: p.deliveryMode, Priority: p.priority,
	}
	if p.flags&flagHeaders != 0 {
		v.Headers = p.headers.goValues()
	}
	if p.flags&flagTimestamp != 0 {
		v.Timestamp = time.Unix(int64(p.timestamp), 0)
	}
	return v
}

func (t table) goValues() map[string]any {
	values := make(map[string]any, len(t))
	for _, f := range t {
		values[f.name] = f.goValue()
	}
	return values
}

func (f field) goValue() any {
	d := decoder{b: f.value}
	switch f.kind {
	case 't':
		return d.u8() != 0
	case 'b':
		return int8(d.u8())
	case 'B':
		return d.u8()
	case 's':
		return int16(d.u16())
	case 'u':
		return d.u16()
	case 'I':
		return int32(d.u32())
	case 'i':
		return d.u32()
	case 'l':
		return int64(d.u64())
	case 'f':
		return math.Float32frombits(d.u32())
	case 'd':
		return math.Float64frombits(d.u64())
	case 'D':
		return Decimal{d.u8(), int32(d.u32())}
	case 'T':
		return time.Unix(int64(d.u64()), 0)
	case 'S':
		return string(f.value[4:])
	case 'x':
		return slices.Clone(f.value[4:])
	case 'F':
		t, _ := f.tableValue()
		return t.goValues()
	case 'A':
		items, _ := f.array()
		values := make([]any, len(items))
		for i, item := range items {
			values[i] = item.goValue()
		}
		return values
	}
	return nil
}
