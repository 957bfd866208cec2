package amqptrace

import (
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"go.opentelemetry.io/otel/trace"
)

// acknowledger is the acknowledger of a delivery that a handler receives. It passes
// settlements on to the host's and notes them for the span of the process.
type acknowledger struct {
	names

	process    *process
	host       amqp.Acknowledger
	created    trace.SpanContext // invalid if the message has none
	settlement settlement        // guarded by the process
	silent     bool              // left alone by a filter: no spans of its own
}

var _ amqp.Acknowledger = (*acknowledger)(nil)

// wrap puts m between d and its acknowledger, and returns how many messages are to be
// counted as consumed: one that Get has counted is not counted again.
func (m *acknowledger) wrap(p *process, d *amqp.Delivery, a *arrival) (count int64) {
	m.names, m.process, m.host, m.created, m.settlement = a.names, p, d.Acknowledger, a.origin.Created, unsettled
	count = 1
	switch a := d.Acknowledger.(type) {
	case received:
		m.host, count = a.Acknowledger, 0
	case *acknowledger: // a handler called from a loop of Deliveries
		count = 0
	}
	// A delivery without an acknowledger has the host's own error for who settles it.
	if m.host != nil {
		d.Acknowledger = m
	}
	return count
}

// Ack settles the delivery with the host and notes it for the span.
func (m *acknowledger) Ack(tag uint64, multiple bool) error {
	return m.settle(acked, tag, multiple)
}

// Nack settles the delivery with the host and notes it for the span.
func (m *acknowledger) Nack(tag uint64, multiple, requeue bool) error {
	return m.settle(nacked(requeue), tag, multiple)
}

// Reject settles the delivery with the host and notes it for the span.
func (m *acknowledger) Reject(tag uint64, requeue bool) error {
	return m.settle(rejected(requeue), tag, false)
}

func (m *acknowledger) settle(s settlement, tag uint64, multiple bool) (err error) {
	p := m.process
	if p.consumer.settleSpans && !m.silent {
		span := p.consumer.settle.start(m, s, p.unsettled(m, tag, multiple))
		returned := false
		defer func() { span.end(s, err, returned) }()
		err = s.forward(m.host, tag, multiple)
		returned = true
		_, late := p.note(m, s, tag, multiple, err)
		span.isLate(late)
		return err
	}
	err = s.forward(m.host, tag, multiple)
	if links, late := p.note(m, s, tag, multiple, err); late && !m.silent {
		span := p.consumer.settle.start(m, s, links)
		span.isLate(true)
		span.start = time.Time{} // settlements are measured with WithSettleSpans only
		span.end(s, err, true)
	}
	return err
}

func (m *acknowledger) appendLink(links []trace.Link) []trace.Link {
	if m.created.IsValid() {
		links = append(links, trace.Link{SpanContext: m.created})
	}
	return links
}

// settledBy reports whether a settlement of tag, called on the delivery of by, settles m.
// Tags restart when a channel is recovered, so a single one is only ever by's own.
func (m *acknowledger) settledBy(by *acknowledger, tag uint64, multiple bool) bool {
	switch {
	case m.settlement != unsettled || !covers(tag, multiple, m.tag):
		return false
	case m == by:
		return true
	default:
		return (multiple || tag != by.tag) && sameHost(m.host, by.host)
	}
}

// covers reports whether a settlement of tag settles the delivery of tag own. Tag 0
// with multiple stands for everything that is outstanding.
func covers(tag uint64, multiple bool, own uint64) bool {
	return tag == own || multiple && (tag == 0 || tag > own)
}

// sameHost reports whether two deliveries came by the same channel, without which their
// tags cannot be compared. Acknowledgers of other types than the host's are never the same.
func sameHost(a, b amqp.Acknowledger) bool {
	x, ok := root(a).(*amqp.Channel)
	if !ok {
		return false
	}
	y, ok := root(b).(*amqp.Channel)
	return ok && x == y
}

// root is the host's acknowledger behind ours.
func root(a amqp.Acknowledger) amqp.Acknowledger {
	for {
		m, ok := a.(*acknowledger)
		if !ok {
			return a
		}
		a = m.host
	}
}
