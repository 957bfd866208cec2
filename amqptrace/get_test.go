package amqptrace_test

import (
	"context"
	"errors"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/mqtrace/mqtrace/amqptrace"
)

type getter struct{ d amqp.Delivery }

func (g getter) Get(string, bool) (amqp.Delivery, bool, error) { return g.d, true, nil }

// The span of a Get covers the wait for the broker, although it is made after it.
func TestGetTakesTime(t *testing.T) {
	rec := newRecorder(t)
	began := time.Now()
	if _, ok, err := amqptrace.NewConsumer("q", rec.options()...).Get(context.Background(), slow{}, false); !ok || err != nil {
		t.Error(ok, err)
	}
	span := rec.only(t)
	if took := span.EndTime().Sub(span.StartTime()); took < 20*time.Millisecond || span.StartTime().Before(began) {
		t.Errorf("the span took %v", took)
	}
}

type slow struct{}

func (slow) Get(string, bool) (amqp.Delivery, bool, error) {
	time.Sleep(20 * time.Millisecond)
	return amqp.Delivery{}, true, nil
}

func TestGetWithoutAcknowledger(t *testing.T) {
	c := amqptrace.NewConsumer("q")
	d, _, err := c.Get(context.Background(), getter{amqp.Delivery{DeliveryTag: 1}}, false)
	if err != nil || !errors.Is(d.Ack(false), amqp.ErrDeliveryNotInitialized) {
		t.Error("not the host's own error")
	}
	err = c.Handler(func(_ context.Context, d amqp.Delivery) error { return d.Ack(false) })(context.Background(), d)
	if !errors.Is(err, amqp.ErrDeliveryNotInitialized) {
		t.Errorf("error %v", err)
	}
}
