package amqptrace

import (
	"cmp"
	"reflect"
	"slices"

	amqp "github.com/rabbitmq/amqp091-go"
)

// An order holds the messages of a batch by channel and tag, to find the ones that a
// settlement covers without scanning the batch: a consumer may settle 100,000 messages one
// by one.
type order struct{ of map[any]*outstanding }

// outstanding are the messages of one channel in the order of their tags.
type outstanding struct {
	messages []*acknowledger
	settled  int // number of messages at the start that are settled
}

func newOrder(messages []acknowledger) *order {
	o := &order{make(map[any]*outstanding)}
	for i := range messages {
		m := &messages[i]
		key := m.channel()
		if o.of[key] == nil {
			o.of[key] = new(outstanding)
		}
		o.of[key].messages = append(o.of[key].messages, m)
	}
	for _, s := range o.of {
		slices.SortStableFunc(s.messages, func(a, b *acknowledger) int { return cmp.Compare(a.tag, b.tag) })
	}
	return o
}

// settledBy calls f with the unsettled messages that a settlement of tag covers. The
// delivery that the settlement is called on need not be among them.
func (o *order) settledBy(by *acknowledger, tag uint64, multiple bool, f func(*acknowledger)) {
	s := o.of[by.channel()]
	if s == nil {
		return
	}
	for s.settled < len(s.messages) && s.messages[s.settled].settlement != unsettled {
		s.settled++
	}
	from := s.settled
	if !multiple {
		from, _ = slices.BinarySearchFunc(s.messages, tag, func(m *acknowledger, tag uint64) int { return cmp.Compare(m.tag, tag) })
	}
	for _, m := range s.messages[from:] {
		if !covers(tag, multiple, m.tag) {
			return
		}
		if m.settlement == unsettled {
			f(m)
		}
	}
}

// covers reports whether a settlement of tag settles the delivery of tag own. Tag 0
// with multiple stands for everything that is outstanding.
func covers(tag uint64, multiple bool, own uint64) bool {
	return tag == own || multiple && (tag == 0 || tag > own)
}

// wrapped stands for the channel of deliveries whose acknowledger is not the host's.
type wrapped struct {
	acknowledger reflect.Type
	consumerTag  string
}

// channel returns a value that is the same for all deliveries of one channel: only their
// tags are comparable. A user may have wrapped the host's acknowledger, with a new value
// for each delivery: then deliveries with one acknowledger type and one consumer tag count
// as one channel.
func (m *acknowledger) channel() any {
	host := root(m.host)
	if host == nil {
		return nil
	}
	if _, ok := host.(*amqp.Channel); ok {
		return host
	}
	t := reflect.TypeOf(host)
	return wrapped{t, m.consumerTag}
}

// root returns the host's acknowledger behind ours.
func root(a amqp.Acknowledger) amqp.Acknowledger {
	for {
		m, ok := a.(*acknowledger)
		if !ok {
			return a
		}
		a = m.host
	}
}
