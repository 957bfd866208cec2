package tap

import (
	"context"
	"errors"
	"fmt"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"go.opentelemetry.io/otel/trace"
)

// Bounds on the records that wait: in RabbitMQ, which drops the oldest beyond them, and
// here, before they are acknowledged. Each record is as large as its message.
const (
	queueMaxLength = 10_000
	queueMaxBytes  = 32 << 20
	prefetch       = 256
	ackEvery       = 64
	ackInterval    = 100 * time.Millisecond
)

// Config configures a tap.
type Config struct {
	TracerProvider trace.TracerProvider
	// Keys are the binding keys: "#" for everything, "publish.EXCHANGE",
	// "deliver.QUEUE".
	Keys []string
	// Roots enables spans for messages without trace context, each in a new trace.
	Roots bool
	// MaxRate is the maximum number of spans a second.
	MaxRate int
	// Interval is how often Report is called, never if it is 0.
	Interval time.Duration
	Report   func(Stats)
	// Where RabbitMQ is, for the spans.
	ServerAddress string
	ServerPort    int
}

// Tap is a consumer of the firehose.
type Tap struct {
	cfg        Config
	ch         *amqp.Channel
	closed     chan *amqp.Error
	queue      string
	deliveries <-chan amqp.Delivery
	spans      *spans
	stats      counters
	unacked    uint64 // the tag to acknowledge, 0 for none
	pending    int
	canaries   int
}

// ErrLost means that the tap's channel was closed.
var ErrLost = errors.New("the connection to RabbitMQ is lost")

// Open declares an exclusive queue, binds it to the firehose and consumes it. The
// firehose need not be on.
func Open(conn *amqp.Connection, cfg Config) (*Tap, error) {
	ch, err := conn.Channel()
	if err != nil {
		return nil, err
	}
	t := &Tap{cfg: cfg, ch: ch, closed: ch.NotifyClose(make(chan *amqp.Error, 1))}
	t.spans = newSpans(&t.cfg, &t.stats)
	if err := t.open(); err != nil {
		_ = ch.Close()
		return nil, err
	}
	return t, nil
}

func (t *Tap) open() error {
	q, err := t.ch.QueueDeclare("", false, true, true, false, amqp.Table{
		"x-max-length": int32(queueMaxLength), "x-max-length-bytes": int32(queueMaxBytes), "x-overflow": "drop-head",
	})
	if err != nil {
		return err
	}
	t.queue = q.Name
	for _, key := range append([]string{t.canaryKey()}, t.cfg.Keys...) {
		if err := t.ch.QueueBind(q.Name, key, traceExchange, false, nil); err != nil {
			return fmt.Errorf("bind to the firehose: %w", err)
		}
	}
	if err := t.ch.Qos(prefetch, 0, false); err != nil {
		return err
	}
	t.deliveries, err = t.ch.Consume(q.Name, "", false, true, false, false, nil)
	return err
}

// Close deletes the queue.
func (t *Tap) Close() { _ = t.ch.Close() }

// Run creates spans until ctx ends, which is not an error.
func (t *Tap) Run(ctx context.Context) error {
	acks := time.NewTicker(ackInterval)
	defer acks.Stop()
	var reports <-chan time.Time
	if t.cfg.Interval > 0 {
		ticker := time.NewTicker(t.cfg.Interval)
		defer ticker.Stop()
		reports = ticker.C
	}
	for {
		select {
		case <-ctx.Done():
			return t.ack()
		case d, ok := <-t.deliveries:
			if !ok {
				return t.lost()
			}
			if err := t.take(&d); err != nil {
				return err
			}
		case <-acks.C:
			if err := t.ack(); err != nil {
				return err
			}
		case <-reports:
			t.cfg.Report(t.Stats())
		}
	}
}

// take handles a delivery. Canaries and their records do not count.
func (t *Tap) take(d *amqp.Delivery) error {
	if r, ok := readRecord(d); d.Exchange == traceExchange && r.key != t.queue {
		t.stats.seen.Add(1)
		if ok {
			t.stats.count(&r)
			t.spans.add(&r, time.Now())
		}
	}
	t.unacked = d.DeliveryTag
	t.pending++
	if t.pending >= ackEvery {
		return t.ack()
	}
	return nil
}

func (t *Tap) ack() error {
	if t.unacked == 0 {
		return nil
	}
	tag := t.unacked
	t.unacked, t.pending = 0, 0
	return t.ch.Ack(tag, true)
}

// lost returns the reason why the deliveries have ended.
func (t *Tap) lost() error {
	if err := <-t.closed; err != nil {
		return fmt.Errorf("%w: %w", ErrLost, err)
	}
	return ErrLost
}

// Stats asks RabbitMQ for the backlog.
func (t *Tap) Stats() Stats {
	s := t.stats.stats()
	if q, err := t.ch.QueueDeclarePassive(t.queue, false, true, true, false, nil); err == nil {
		s.Backlog = q.Messages
	}
	return s
}
