package amqptrace

import (
	"context"
	"iter"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// Deliveries returns an iterator over deliveries, as returned by amqp.Channel's Consume,
// with a CONSUMER span around the body of the loop:
//
//	for ctx, d := range consumer.Deliveries(ctx, deliveries) {
//		if err := handle(ctx, d); err != nil {
//			amqptrace.Fail(ctx, err)
//		}
//	}
//
// The loop ends when deliveries is closed or ctx is done. Leaving it by break,
// return or panic ends the span as well. A delivery that was received but not yet
// yielded is never dropped; those still in the channel when ctx is done remain
// there, unsettled.
//
// Parents and links are as with [Consumer.Handler]. Call [Fail] if the body could not
// process its message.
func (c *Consumer) Deliveries(
	ctx context.Context, deliveries <-chan amqp.Delivery,
) iter.Seq2[context.Context, amqp.Delivery] {
	if ctx == nil {
		ctx = context.Background()
	}
	return func(yield func(context.Context, amqp.Delivery) bool) {
		for ctx.Err() == nil {
			select {
			case <-ctx.Done():
				return
			case d, ok := <-deliveries:
				if !ok || !c.yield(ctx, d, yield) {
					return
				}
			}
		}
	}
}

func (c *Consumer) yield(
	ctx context.Context, d amqp.Delivery, yield func(context.Context, amqp.Delivery) bool,
) (more bool) {
	ctx, p := c.start(ctx, &d, time.Time{})
	returned := false
	defer func() { p.end(nil, returned) }()
	more = yield(ctx, d)
	returned = true
	return more
}

// Fail reports that the message whose span ctx belongs to could not be processed: the
// span's status becomes Error with the text of err. It is for loops over
// [Consumer.Deliveries]; a function given to [Consumer.Handler] or [Consumer.BatchHandler]
// returns its error, which takes precedence. The first of several errors counts. Fail does
// nothing if err is nil, or if ctx has no such span or one that has ended.
func Fail(ctx context.Context, err error) {
	if ctx == nil || err == nil {
		return
	}
	if p, ok := ctx.Value(processKey{}).(*process); ok {
		p.fail(nil, err)
	}
}
