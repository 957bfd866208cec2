package tap

import (
	"errors"

	amqp "github.com/rabbitmq/amqp091-go"
)

// presenceQueue has one consumer for each tap that controls the firehose, so that they can
// count one another. Nothing is ever sent to it.
const presenceQueue = "mqtrace-tap"

// Presence registers a tap among those that turn the firehose on and off, so that only the
// last one turns it off. The registration also ends with the connection.
type Presence struct{ ch *amqp.Channel }

const presenceTag = "mqtrace-tap"

// Join registers a tap. It requires the permission to configure and read the queue
// mqtrace-tap.
func Join(conn *amqp.Connection) (*Presence, error) {
	ch, err := conn.Channel()
	if err != nil {
		return nil, err
	}
	p := &Presence{ch}
	if err := p.join(); err != nil {
		_ = ch.Close()
		return nil, err
	}
	return p, nil
}

func (p *Presence) join() error {
	// The type is given because some virtual hosts default to quorum queues, which are
	// never auto-delete.
	_, err := p.ch.QueueDeclare(presenceQueue, true, true, false, false, amqp.Table{"x-queue-type": "classic"})
	if err != nil {
		return err
	}
	if err := p.ch.Qos(1, 0, false); err != nil {
		return err
	}
	_, err = p.ch.Consume(presenceQueue, presenceTag, false, false, false, false, nil)
	return err
}

// Others returns the number of other taps.
func (p *Presence) Others() (int, error) {
	n, err := p.count()
	return max(0, n-1), err
}

// Leave unregisters the tap and returns the number of others.
func (p *Presence) Leave() (others int, err error) {
	defer func() { _ = p.ch.Close() }()
	if err := p.ch.Cancel(presenceTag, false); err != nil {
		return 0, err
	}
	return p.count()
}

// count returns the number of taps. Without any, the queue is gone.
func (p *Presence) count() (int, error) {
	q, err := p.ch.QueueDeclarePassive(presenceQueue, true, true, false, false, nil)
	var failure *amqp.Error
	if errors.As(err, &failure) && failure.Code == amqp.NotFound {
		return 0, nil
	}
	return q.Consumers, err
}
