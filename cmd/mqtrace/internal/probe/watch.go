package probe

import (
	"fmt"
	"sync"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// A temporary queue gets every message that its binding matches: other messages are
// dropped, and the backlog is limited.
const (
	watchPrefetch  = 100
	watchMaxLength = 10_000
)

// watch looks for the message at temporary queues.
type watch struct {
	places    []Place
	sightings chan sighting
	channels  []*amqp.Channel
	running   sync.WaitGroup
}

// sighting is the message at a place.
type sighting struct {
	place    int
	at       time.Time
	delivery amqp.Delivery
}

// openWatch declares the queues and watches them until close is called.
func openWatch(conn *amqp.Connection, mark Mark, bindings []Binding) (*watch, error) {
	w := &watch{sightings: make(chan sighting, len(bindings))}
	for i, b := range bindings {
		if err := w.open(conn, mark, i, b); err != nil {
			w.close()
			return nil, fmt.Errorf("a temporary queue at %s: %w", b, err)
		}
	}
	return w, nil
}

func (w *watch) open(conn *amqp.Connection, mark Mark, place int, b Binding) error {
	ch, err := conn.Channel()
	if err != nil {
		return err
	}
	w.channels = append(w.channels, ch)
	q, err := ch.QueueDeclare("", false, true, true, false, amqp.Table{"x-max-length": int32(watchMaxLength)})
	if err != nil {
		return err
	}
	if err := ch.QueueBind(q.Name, b.Key, b.Exchange, false, nil); err != nil {
		return err
	}
	if err := ch.Qos(watchPrefetch, 0, false); err != nil {
		return err
	}
	deliveries, err := ch.Consume(q.Name, "", false, true, false, false, nil)
	if err != nil {
		return err
	}
	w.places = append(w.places, Place{Name: "a temporary queue at " + b.String()})
	w.running.Go(func() {
		seen := false
		for d := range deliveries {
			if !seen && mark.is(d) {
				seen = true
				w.sightings <- sighting{place, time.Now(), d} // has room for one per place
			}
			_ = d.Ack(false) // fails only if the channel is closed, and the queue is gone then
		}
	})
	return nil
}

// missing reports whether the message is still missing at a place.
func (w *watch) missing(places []Place) bool {
	for i := range w.places {
		if !places[i].Arrived {
			return true
		}
	}
	return false
}

// close deletes the queues: they are auto-delete.
func (w *watch) close() {
	for _, ch := range w.channels {
		_ = ch.Close()
	}
	w.running.Wait()
}
