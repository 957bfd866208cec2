package probe

import (
	"bytes"
	"context"
	"fmt"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// The polling intervals of a queue: short at first, then longer.
const (
	firstPoll = time.Millisecond
	lastPoll  = 50 * time.Millisecond
)

// lateness is how long to wait for places along the route after the message has arrived.
const lateness = 300 * time.Millisecond

// await waits until the message has arrived or will not arrive, and records the reason for
// the latter in the result.
func (p *amqpProbe) await(ctx context.Context, w *watch) error {
	interval := firstPoll
	poll := time.NewTimer(0)
	defer poll.Stop()
	for !p.arrived() && p.result.Reason == "" {
		select {
		case s := <-w.sightings:
			p.note(s)
		case <-poll.C:
			switch err := p.look(); {
			case err != nil && ctx.Err() != nil: // the connection was closed
				p.result.Reason = fmt.Sprintf("RabbitMQ did not answer within %v (does it block publishers?); ", p.route.Timeout) + p.remains()
				return nil
			case err != nil:
				return err
			}
			poll.Reset(interval)
			interval = min(interval*3/2, lastPoll)
		case <-ctx.Done():
			return p.late()
		}
	}
	late := time.NewTimer(lateness)
	defer late.Stop()
	for w.missing(p.result.Places) {
		select {
		case s := <-w.sightings:
			p.note(s)
		case <-late.C:
			return nil
		case <-ctx.Done():
			return nil
		}
	}
	return nil
}

func (p *amqpProbe) arrived() bool { return p.result.Places[len(p.result.Places)-1].Arrived }

func (p *amqpProbe) note(s sighting) { p.arrive(&p.result.Places[s.place], s.at, s.delivery.Headers) }

func (p *amqpProbe) arrive(place *Place, at time.Time, headers amqp.Table) {
	fields := p.mark.readFields(headers)
	place.arrive(at.Sub(p.sent), fields, readHops(headers, fields))
}

// look fetches the message if it is the only one in the queue.
func (p *amqpProbe) look() error {
	if p.route.Queue == "" {
		return nil
	}
	q, err := p.state()
	switch {
	case err != nil:
		return err
	case q.Consumers > 0:
		p.result.Reason = "the queue got a consumer meanwhile, which takes the message"
		return nil
	case q.Messages > 1:
		p.result.Reason = "other messages arrived in the queue and were left alone; " + p.remains()
		return nil
	case q.Messages == 0:
		return nil
	}
	d, ok, err := p.ch.Get(p.route.Queue, false)
	if err != nil || !ok {
		return err
	}
	if !p.mark.is(d) {
		p.result.Reason = "another message arrived in the queue and was put back; " + p.remains()
		return d.Reject(true)
	}
	p.arrive(&p.result.Places[len(p.result.Places)-1], time.Now(), d.Headers)
	return d.Ack(false)
}

// late describes a message that has not arrived in time.
func (p *amqpProbe) late() error {
	p.result.Reason = fmt.Sprintf("not there after %v; %s", p.route.Timeout, p.remains())
	return nil
}

// remains describes what happens to a message that was not seen.
func (p *amqpProbe) remains() string {
	return fmt.Sprintf("the probe's message %s expires %v after it was sent, unless a dead-letter exchange or a service forwarded it without its expiration",
		p.mark.ID, p.route.Timeout+grace)
}

// is reports whether d is the probe's message, possibly changed on the way.
func (m Mark) is(d amqp.Delivery) bool {
	if d.MessageId == m.ID || text(d.Headers[idHeader]) == m.ID {
		return true
	}
	return bytes.Contains(d.Body, []byte(m.ID))
}
