package amqptrace

import (
	"context"
	"fmt"
	"sync"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/mqtrace/mqtrace/internal/headers"
	"github.com/mqtrace/mqtrace/internal/messaging"
)

// process is the processing of one message or one batch. It is also the context that
// the handler receives, so that there is one value for each message and not two.
type process struct {
	context.Context

	consumer *Consumer
	span     trace.Span
	start    time.Time
	count    int64    // messages that are counted as consumed here
	members  []member // the messages
	single   [1]member
	headers  headers.Reader[any] // of a single one
	room     messaging.Room

	// A handler may pass a delivery on to a goroutine that settles it at any time.
	mu    sync.Mutex
	ended bool
	err   error // reported by Fail
}

var _ context.Context = (*process)(nil)

type processKey struct{}

// Value lets Fail find the process of a context.
func (p *process) Value(key any) any {
	if key == (processKey{}) {
		return p
	}
	return p.Context.Value(key)
}

// String keeps fmt from reading the fields while others write them.
func (p *process) String() string { return fmt.Sprint(p.Context) + ".WithMessage" }

func (p *process) fail(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err == nil {
		p.err = err
	}
}

// end ends the span and measures it. err is the handler's error; returned is false
// where the handler did not return but panicked. A message that is not traced has no
// process.
func (p *process) end(err error, returned bool) {
	if p == nil {
		return
	}
	p.mu.Lock()
	p.ended = true
	settled := p.settlement()
	if err == nil {
		err = p.err
	}
	p.mu.Unlock()

	failure := ""
	switch {
	case !returned:
		failure = messaging.ErrorTypePanic
		messaging.FailDidNotReturn(p.span)
	case err != nil:
		failure = fail(p.span, err)
	case settled.gaveUp():
		failure = errorTypeRejected
		messaging.Fail(p.span, failure, "message was given up: "+settled.String())
	}
	if p.span.IsRecording() {
		p.span.SetAttributes(settled.attribute())
	}
	p.consumer.process.Done(p.Context, p.start, p.consumer.destination, failure, p.count)
	p.span.End()
}

// settlement is how the messages were settled. Of several the one that says most is
// given, so that a batch of which one message was given up does not pass for acked.
func (p *process) settlement() settlement {
	s := p.members[0].settlement
	for i := range p.members[1:] {
		s = max(s, p.members[1+i].settlement)
	}
	return s
}

// member is one message of a process. It is the acknowledger of the delivery that the
// handler receives.
type member struct {
	process    *process
	host       amqp.Acknowledger
	tag        uint64
	created    *trace.SpanContext
	settlement settlement           // guarded by the process
	attributes []attribute.KeyValue // that the span of its settlement has of it too
	silent     bool                 // left alone by a filter: no spans of its own
	attempt    int                  // for batches
}

var _ amqp.Acknowledger = (*member)(nil)

// take puts m between d and its acknowledger and tells how many messages are to be
// counted as consumed: one that Get has counted is not counted again.
func (m *member) take(p *process, d *amqp.Delivery) (count int64) {
	m.process, m.host, m.tag, m.settlement = p, d.Acknowledger, d.DeliveryTag, unsettled
	count = 1
	switch a := d.Acknowledger.(type) {
	case received:
		m.host, count = a.Acknowledger, 0
	case *member: // a handler called from a loop of Deliveries
		count = 0
	}
	// A delivery without an acknowledger has the host's own error for who settles it.
	if m.host != nil {
		d.Acknowledger = m
	}
	return count
}

// Ack settles the delivery with the host and notes it for the span.
func (m *member) Ack(tag uint64, multiple bool) error {
	return m.settle(acked, tag, multiple)
}

// Nack settles the delivery with the host and notes it for the span.
func (m *member) Nack(tag uint64, multiple, requeue bool) error {
	return m.settle(nacked(requeue), tag, multiple)
}

// Reject settles the delivery with the host and notes it for the span.
func (m *member) Reject(tag uint64, requeue bool) error {
	return m.settle(rejected(requeue), tag, false)
}

func (m *member) settle(s settlement, tag uint64, multiple bool) (err error) {
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

// note keeps a settlement that the host took, and tells which messages it was for and
// whether it came too late for the span. One that the host did not take leaves the
// message unsettled: the broker delivers it again. Of several the first counts, as
// with the broker.
func (p *process) note(by *member, s settlement, tag uint64, multiple bool, err error) (links []trace.Link, late bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := range p.members {
		m := &p.members[i]
		if !m.settledBy(by, tag, multiple) {
			continue
		}
		if late = p.ended; late {
			links = m.appendLink(links)
		}
		if err == nil {
			m.settlement = s
		}
	}
	return links, late
}

// unsettled links to the messages that a settlement is about to be for.
func (p *process) unsettled(by *member, tag uint64, multiple bool) []trace.Link {
	p.mu.Lock()
	defer p.mu.Unlock()
	var links []trace.Link
	for i := range p.members {
		if m := &p.members[i]; m.settledBy(by, tag, multiple) {
			links = m.appendLink(links)
		}
	}
	return links
}

func (m *member) appendLink(links []trace.Link) []trace.Link {
	if m.created != nil {
		links = append(links, trace.Link{SpanContext: *m.created})
	}
	return links
}

// settledBy tells whether a settlement of tag, called on the delivery by, settles m.
// Tags restart when a channel is recovered, so a single one is no one's but by's.
func (m *member) settledBy(by *member, tag uint64, multiple bool) bool {
	switch {
	case m.settlement != unsettled || !covers(tag, multiple, m.tag):
		return false
	case m == by:
		return true
	default:
		return (multiple || tag != by.tag) && sameHost(m.host, by.host)
	}
}

// covers tells whether a settlement of tag settles the delivery of tag own. Tag 0
// with multiple stands for everything that is outstanding.
func covers(tag uint64, multiple bool, own uint64) bool {
	return tag == own || multiple && (tag == 0 || tag > own)
}

// sameHost tells whether two deliveries came by the same channel, of which alone the
// tags can be compared. Acknowledgers that cannot be compared are not the host's own.
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
		m, ok := a.(*member)
		if !ok {
			return a
		}
		a = m.host
	}
}
