package peek

import (
	"cmp"
	"errors"
	"fmt"
	"iter"
	"maps"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/mqtrace/mqtrace/carrier"
	"github.com/mqtrace/mqtrace/cmd/mqtrace/internal/tracecontext"
	"github.com/mqtrace/mqtrace/internal/amqphistory"
	"github.com/mqtrace/mqtrace/internal/messaging"
)

// ErrQuorum means that a quorum queue was not read.
var ErrQuorum = errors.New("a quorum queue counts a peek as a delivery of each message that is shown, " +
	"and drops or dead-letters a message that was delivered more often than its delivery limit allows")

// ErrKind means that the type of a queue cannot be determined.
var ErrKind = errors.New("the type of the queue cannot be determined")

// AMQP is a queue of RabbitMQ. Make one with [OpenAMQP].
type AMQP struct {
	conn      *amqp.Connection
	queue     string
	kind      kind
	opts      Options
	messages  int
	consumers int
}

var _ Source = (*AMQP)(nil)

// OpenAMQP inspects a queue without taking a message. It returns [ErrQuorum] for a quorum
// queue, and [ErrKind] if it cannot determine the type, unless anyKind is true: then a
// queue of unknown type is read as a quorum queue.
func OpenAMQP(conn *amqp.Connection, queue string, anyKind bool, opts Options) (*AMQP, error) {
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
	k, err := kindOf(conn, queue)
	if errors.Is(err, ErrKind) && opts.QueueType != nil {
		k, err = kindElsewhere(opts.QueueType, err)
	}
	switch {
	case errors.Is(err, ErrKind) && anyKind:
		k = quorum
	case err != nil:
		return nil, err
	case k == quorum && !anyKind:
		return nil, ErrQuorum
	case k != classic && k != quorum && k != stream:
		return nil, fmt.Errorf("%w: RabbitMQ calls it %q", ErrKind, k)
	}
	return &AMQP{conn: conn, queue: queue, kind: k, opts: opts, messages: q.Messages, consumers: q.Consumers}, nil
}

// Total returns the number of messages that are ready for consumers, without unsettled
// ones.
func (q *AMQP) Total() int { return q.messages }

// Consumers returns the number of the queue's consumers.
func (q *AMQP) Consumers() int { return q.consumers }

// Messages gets messages without settling them, on a separate channel. When the channel is
// closed, all return to their places.
func (q *AMQP) Messages(limit int) iter.Seq2[Message, error] {
	return func(yield func(Message, error) bool) {
		stopped := false
		err := q.read(limit, func(m Message) bool {
			stopped = !yield(m, nil)
			return !stopped
		})
		if err != nil && !stopped { // yield must not be called again after it has returned false
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
	switch q.kind {
	case classic:
	case stream:
		// RabbitMQ counts the messages of a stream only every few seconds.
		return q.consume(ch, q.Limit(limit), yield)
	default:
		return q.consume(ch, min(q.Limit(limit), q.messages), yield)
	}
	for position := 1; position <= limit && !q.opts.stopped(); position++ {
		d, ok, err := ch.Get(q.queue, false)
		if err != nil || !ok {
			return err
		}
		if !yield(q.message(position, &d)) {
			return nil
		}
	}
	return nil
}

// MaxConsumed is how many messages of a quorum queue or a stream are read at most: RabbitMQ
// sends them all at once, bodies included.
const MaxConsumed = 1000

// Limit returns how many of n messages can be read at most.
func (q *AMQP) Limit(n int) int {
	if q.kind == classic {
		return n
	}
	return min(n, MaxConsumed)
}

// idle is how long to wait for the next message of a quorum queue or a stream. There may be
// none left if others have consumed them.
const idle = 2 * time.Second

// idleBeyond is the same once as many messages have arrived as were counted.
const idleBeyond = 500 * time.Millisecond

const consumerTag = "mqtrace-peek"

// consume reads with a consumer. A stream cannot be read with basic.get. For a quorum queue
// each basic.get is a separate consumer, and order is kept only for messages returned by
// one consumer.
func (q *AMQP) consume(ch *amqp.Channel, limit int, yield func(Message) bool) error {
	if limit < 1 {
		return nil
	}
	if err := ch.Qos(limit, 0, false); err != nil {
		return err
	}
	var args amqp.Table
	if q.kind == stream {
		args = amqp.Table{"x-stream-offset": "first"}
	}
	deliveries, err := ch.Consume(q.queue, consumerTag, false, false, false, false, args)
	if err != nil {
		return err
	}
	var last *amqp.Delivery
	defer func() { q.giveBack(ch, last) }()
	timer := time.NewTimer(idle)
	defer timer.Stop()
	for position := 1; position <= limit; position++ {
		select {
		case d, ok := <-deliveries:
			if !ok {
				return amqp.ErrClosed
			}
			last = &d
			if !yield(q.message(position, &d)) {
				return nil
			}
			if position < q.messages {
				timer.Reset(idle)
			} else {
				timer.Reset(idleBeyond)
			}
		case <-timer.C:
			return nil
		case <-q.opts.Done:
			return nil
		}
	}
	return nil
}

// giveBack returns the messages to a quorum queue of RabbitMQ 4.3 or newer by basic.nack,
// which leaves them in their order and, unlike the end of a channel, does not count against
// the delivery limit. Older releases count both, and 3.10 would put the messages behind the
// others.
func (q *AMQP) giveBack(ch *amqp.Channel, last *amqp.Delivery) {
	if q.kind != quorum || last == nil || !isAtLeast(q.conn, 4, 3) {
		return
	}
	// Messages that arrived but were not read are returned too. After an error, closing the
	// channel returns them.
	if err := ch.Cancel(consumerTag, false); err == nil {
		_ = ch.Nack(0, true, true)
	}
}

func (q *AMQP) message(position int, d *amqp.Delivery) Message {
	m := q.opts.message(position, tracecontext.Read(d.Headers))
	m.setAge(carrier.Table(d.Headers).Get(messaging.SentAtHeader), d.Timestamp, q.opts.now())
	headers := d.Headers
	if q.kind != quorum {
		headers = maps.Clone(headers)
		delete(headers, "x-acquired-count") // copied from a quorum queue, with the message
		delete(headers, "x-delivery-count")
	}
	history := amqphistory.Read(headers, q.queue, d.Redelivered)
	m.Attempts = history.Attempt - 1
	m.Producer = cmp.Or(d.AppId, destination(d.Exchange, d.RoutingKey))
	m.ID, m.Type = d.MessageId, d.Type
	m.setBody(d.Body, q.opts.Bodies)
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

// destination stands in for the producer's name if the message has none: all nameless
// producers that publish to the same destination count as one.
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
