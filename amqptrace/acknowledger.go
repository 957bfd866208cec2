package amqptrace

import (
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"go.opentelemetry.io/otel/trace"
)

// acknowledger is the Acknowledger of the delivery that a handler receives. It forwards
// settlements to the host's Acknowledger and records them for the process span.
type acknowledger struct {
	names

	process     *process
	host        amqp.Acknowledger
	consumerTag string
	redelivered bool
	session     uint64            // of the host's channel, which numbers deliveries anew when it is recovered
	contents    contents          // tells deliveries apart that come from no channel
	created     trace.SpanContext // invalid if the message has none
	settlement  settlement        // guarded by the process
	silent      bool              // excluded by a filter: no spans of its own
}

var _ amqp.Acknowledger = (*acknowledger)(nil)

// wrap puts m between d and its acknowledger, and returns how many messages to count as
// consumed: one that Get has already counted is not counted again.
func (m *acknowledger) wrap(p *process, d *amqp.Delivery, a *arrival) (count int64) {
	m.names, m.process, m.host, m.created, m.settlement = a.names, p, d.Acknowledger, a.origin.Created, unsettled
	m.consumerTag, m.redelivered = d.ConsumerTag, d.Redelivered
	r, got := m.host.(received)
	if got {
		m.host = r.Acknowledger
	}
	if ch, ok := root(m.host).(*amqp.Channel); ok && ch != nil {
		m.session = p.consumer.watch(ch)
	} else {
		m.contents = contentsOf(d)
	}
	switch {
	case m.silent: // not counted at all
	case m.within(): // a batch, or a process that has ended
	case p.consumer.retries.empty() || !p.consumer.retries.again(m.key()):
		a.first = true
		if !got {
			count = 1
		}
	}
	// Settling a delivery without an acknowledger returns the host's own error.
	if m.host != nil {
		d.Acknowledger = m
	}
	return count
}

// within reports whether another process has the delivery, which counts it.
func (m *acknowledger) within() bool {
	for outer, ok := m.host.(*acknowledger); ok; outer, ok = outer.host.(*acknowledger) {
		if !outer.silent {
			return true
		}
	}
	return false
}

func (m *acknowledger) Ack(tag uint64, multiple bool) error {
	return m.settle(acked, tag, multiple)
}

func (m *acknowledger) Nack(tag uint64, multiple, requeue bool) error {
	return m.settle(nacked(requeue), tag, multiple)
}

func (m *acknowledger) Reject(tag uint64, requeue bool) error {
	return m.settle(rejected(requeue), tag, false)
}

func (m *acknowledger) settle(s settlement, tag uint64, multiple bool) (err error) {
	p := m.process
	if p.consumer.settleSpans && !m.silent {
		span := p.consumer.settle.start(m, s, p.unsettled(m, tag, multiple))
		returned := false
		defer func() { span.end(s, err, returned) }()
		err = m.forward(s, tag, multiple)
		returned = true
		_, late := p.note(m, s, tag, multiple, err)
		span.isLate(late)
		return err
	}
	err = m.explain(s.forward(m.host, tag, multiple))
	m.settled(s, tag, multiple, err)
	return err
}

// forward settles the delivery with the host. The settlement has a span already: an outer
// process records it without another one, unless the outer process has ended.
func (m *acknowledger) forward(s settlement, tag uint64, multiple bool) error {
	outer, ok := m.host.(*acknowledger)
	if !ok {
		return m.explain(s.forward(m.host, tag, multiple))
	}
	err := outer.forward(s, tag, multiple)
	outer.settled(s, tag, multiple, err)
	return err
}

// settled records a settlement. One that came after the end of the process gets a span of
// its own.
func (m *acknowledger) settled(s settlement, tag uint64, multiple bool, err error) {
	p := m.process
	if links, late := p.note(m, s, tag, multiple, err); late && !m.silent {
		span := p.consumer.settle.start(m, s, links)
		span.isLate(true)
		span.start = time.Time{} // settlements are measured with WithSettleSpans only
		span.end(s, err, true)
	}
}

// explain adds the reason why the channel was closed to a settlement's error that says only
// that it is closed. An outer process has done so already.
func (m *acknowledger) explain(err error) error {
	if ch, ok := m.host.(*amqp.Channel); ok && err != nil {
		return stateOf(ch).explain(err)
	}
	return err
}

func (m *acknowledger) appendLink(links []trace.Link) []trace.Link {
	if m.created.IsValid() {
		links = append(links, trace.Link{SpanContext: m.created})
	}
	return links
}
