package tap

import (
	"context"
	"strconv"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// Canaries show whether the firehose is on, for which AMQP has no method. The tap sends
// itself one: if the firehose is on, RabbitMQ records its delivery before it reads the
// second one, which the tap sends next on the same channel. So if the second arrives
// without a record of the first, the firehose is off.

// canaryKey is the firehose's routing key for a delivery to the tap itself. Only canaries
// have it: the firehose does not trace its own deliveries.
func (t *Tap) canaryKey() string { return "deliver." + t.queue }

// On reports whether the firehose is on. Records that arrive meanwhile become spans. It
// must not be called while Run runs.
func (t *Tap) On(ctx context.Context) (bool, error) {
	t.canaries++
	id := strconv.Itoa(t.canaries)
	if err := t.sendCanary(ctx, id); err != nil {
		return false, err
	}
	back := 0
	for back < 2 {
		select {
		case <-ctx.Done():
			return false, ctx.Err()
		case d, ok := <-t.deliveries:
			if !ok {
				return false, t.lost()
			}
			if err := t.take(&d); err != nil {
				return false, err
			}
			if t.tellsOf(&d, id) {
				return true, t.ack()
			}
			if d.Exchange == traceExchange || d.MessageId != id {
				continue // late, of an earlier canary
			}
			if back++; back < 2 {
				if err := t.sendCanary(ctx, id); err != nil {
					return false, err
				}
			}
		}
	}
	return false, t.ack()
}

// tellsOf reports whether d shows that the firehose is on now: by this canary's record or
// any other, since under heavy traffic the canary's may have been dropped.
func (t *Tap) tellsOf(d *amqp.Delivery, id string) bool {
	if d.Exchange != traceExchange {
		return false
	}
	r, _ := readRecord(d)
	return r.key != t.queue || r.messageID == id
}

func (t *Tap) sendCanary(ctx context.Context, id string) error {
	return t.ch.PublishWithContext(ctx, "", t.queue, false, false, amqp.Publishing{MessageId: id})
}

// askAgain is the polling interval of AwaitOn. RabbitMQ informs its channels of a change
// one by one.
const askAgain = 50 * time.Millisecond

// AwaitOn waits until the firehose is on, or ctx ends.
func (t *Tap) AwaitOn(ctx context.Context) error {
	for {
		if on, err := t.On(ctx); on || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(askAgain):
		}
	}
}
