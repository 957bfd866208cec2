package peek

import (
	"cmp"
	"errors"
	"fmt"
	"iter"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/mqtrace/mqtrace/carrier"
	"github.com/mqtrace/mqtrace/cmd/mqtrace/internal/tracecontext"
	"github.com/mqtrace/mqtrace/internal/amqphistory"
	"github.com/mqtrace/mqtrace/internal/messaging"
)

// ErrQuorum is the error of a quorum queue that was not expected to be one.
var ErrQuorum = errors.New("a quorum queue counts a peek as a delivery of each message, " +
	"and drops or dead-letters a message that was delivered more often than its delivery limit allows")

// AMQP is a queue of RabbitMQ. Make one with [OpenAMQP].
type AMQP struct {
	conn      *amqp.Connection
	queue     string
	quorum    bool
	opts      Options
	messages  int
	consumers int
}

var _ Source = (*AMQP)(nil)

// OpenAMQP looks whether the queue is there. A quorum queue is refused with
// [ErrQuorum], once its first message was read, unless quorum allows one.
func OpenAMQP(conn *amqp.Connection, queue string, quorum bool, opts Options) (*AMQP, error) {
	ch, err := conn.Channel()
	if err != nil {
		return nil, err
	}
	defer func() { _ = ch.Close() }()
	// Only the name counts in a passive declaration.
	q, err := ch.QueueDeclarePassive(queue, false, false, false, false, nil)
	if err != nil {
		return nil, err
	}
	return &AMQP{
		conn: conn, queue: queue, quorum: quorum, opts: opts, messages: q.Messages, consumers: q.Consumers,
	}, nil
}

// Total counts the messages that are ready for consumers. Those that a consumer has
// and has not settled are not among them.
func (q *AMQP) Total() int { return q.messages }

// Consumers is how many consumers the queue has.
func (q *AMQP) Consumers() int { return q.consumers }

// Messages takes messages without settling them, on a channel of its own. When that
// is closed they all go back to where they were. To requeue them by basic.nack or
// basic.recover would put them behind the others in a quorum queue.
func (q *AMQP) Messages(limit int) iter.Seq2[Message, error] {
	return func(yield func(Message, error) bool) {
		if err := q.read(limit, func(m Message) bool { return yield(m, nil) }); err != nil {
			yield(Message{}, err)
		}
	}
}

func (q *AMQP) read(limit int, yield func(Message) bool) (err error) {
	ch, err := q.conn.Channel()
	if err != nil {
		return err
	}
	defer func() {
		if closeErr := ch.Close(); err == nil && closeErr != nil {
			err = fmt.Errorf("give the messages back: %w", closeErr)
		}
	}()
	for position := 1; position <= limit; position++ {
		d, ok, err := ch.Get(q.queue, false)
		if err != nil || !ok {
			return err
		}
		// RabbitMQ 3.10 and later tell the count from the first delivery on.
		_, counted := d.Headers["x-delivery-count"]
		if counted && !q.quorum {
			return ErrQuorum
		}
		if !yield(q.message(position, &d)) {
			return nil
		}
		if counted {
			return q.readQuorum(ch, min(limit, q.messages), yield)
		}
	}
	return nil
}

// MaxQuorum is how many messages of a quorum queue are read at most: RabbitMQ sends
// them all at once, bodies included.
const MaxQuorum = 1000

// quorumIdle is how long the next message of a quorum queue is waited for. There may be
// none left, if others have consumed them.
const quorumIdle = 2 * time.Second

// readQuorum reads the messages behind the first by a consumer, since to RabbitMQ each
// basic.get of a quorum queue is a consumer: it gives back what one consumer had in its
// order, but what ten or more had ordered by their names. The name of this one comes
// behind that of the basic.get which the first message was taken by.
func (q *AMQP) readQuorum(ch *amqp.Channel, limit int, yield func(Message) bool) error {
	limit = min(limit, MaxQuorum)
	if limit < 2 {
		return nil
	}
	if err := ch.Qos(limit-1, 0, false); err != nil {
		return err
	}
	deliveries, err := ch.Consume(q.queue, "~mqtrace-peek", false, false, false, false, nil)
	if err != nil {
		return err
	}
	idle := time.NewTimer(quorumIdle)
	defer idle.Stop()
	for position := 2; position <= limit; position++ {
		select {
		case d, ok := <-deliveries:
			if !ok {
				return amqp.ErrClosed
			}
			if !yield(q.message(position, &d)) {
				return nil
			}
			idle.Reset(quorumIdle)
		case <-idle.C:
			return nil
		}
	}
	return nil
}

func (q *AMQP) message(position int, d *amqp.Delivery) Message {
	m := q.opts.message(position, tracecontext.Read(d.Headers))
	m.setAge(messaging.Age(carrier.Table(d.Headers).Get(messaging.SentAtHeader), d.Timestamp, q.opts.now()))
	history := amqphistory.Read(d.Headers, q.queue, d.Redelivered)
	m.Attempts = history.Attempt - 1
	m.Producer = cmp.Or(d.AppId, destination(d.Exchange, d.RoutingKey))
	m.ID, m.Type, m.BodyBytes = d.MessageId, d.Type, len(d.Body)
	m.Delivery = &Delivery{
		Exchange: d.Exchange, RoutingKey: d.RoutingKey, CorrelationID: d.CorrelationId,
		Redelivered: d.Redelivered, DeadLettered: history.Count,
	}
	for _, death := range history.Deaths {
		m.DeadLetters = append(m.DeadLetters, DeadLetter{
			Queue: death.Queue, Reason: death.Reason, Count: death.Count, Exchange: death.Exchange, RoutingKey: death.Key,
			First: timeOf(time.Unix(death.First, 0)),
		})
	}
	return m
}

// destination stands for a producer that does not say who it is: those who publish
// to the same place.
func destination(exchange, key string) string {
	switch {
	case exchange == "":
		return key
	case key == "":
		return exchange
	default:
		return exchange + ":" + key
	}
}
