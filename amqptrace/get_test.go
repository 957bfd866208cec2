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

// The span of a Get covers the wait for the broker, although it is created afterwards.
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

// The handler does not call the user's functions again that Get has called. Another
// consumer has its own functions.
func TestGetAndHandlerAskOnce(t *testing.T) {
	rec := newRecorder(t)
	asked := map[string]int{}
	relation := amqptrace.WithRelation(func(amqptrace.Message) bool { asked["relation"]++; return false })
	filter := amqptrace.WithFilter(func(amqptrace.Message) bool { asked["filter"]++; return true })
	c := amqptrace.NewConsumer("q", rec.options(relation, filter)...)
	headers, _ := message(t)
	host := &acknowledger{}
	d, _, err := c.Get(context.Background(), getter{amqp.Delivery{Acknowledger: host, DeliveryTag: 1, Headers: headers}}, false)
	if err != nil {
		t.Fatal(err)
	}
	handle := func(_ context.Context, d amqp.Delivery) error { return d.Ack(false) }
	if err := c.Handler(handle)(context.Background(), d); err != nil {
		t.Fatal(err)
	}
	if asked["relation"] != 1 || asked["filter"] != 1 {
		t.Errorf("asked %v, want once each", asked)
	}
	if n := len(rec.Ended()); n != 2 || rec.Ended()[1].Parent().IsValid() {
		t.Errorf("%d spans; the second must be a root", n)
	}
	other := 0
	_ = amqptrace.NewConsumer("q", rec.options(amqptrace.WithFilter(func(amqptrace.Message) bool { other++; return true }))...).
		Handler(handle)(context.Background(), d)
	if other != 1 {
		t.Errorf("another consumer's filter was asked %d times", other)
	}
}

// A message that the filter excludes has the host's own acknowledger in its handler.
func TestGetOfAFilteredMessage(t *testing.T) {
	rec := newRecorder(t)
	asked := 0
	c := amqptrace.NewConsumer("q", rec.options(amqptrace.WithFilter(func(amqptrace.Message) bool { asked++; return false }))...)
	host := &acknowledger{}
	d, _, _ := c.Get(context.Background(), getter{amqp.Delivery{Acknowledger: host, DeliveryTag: 1}}, false)
	_ = c.Handler(func(_ context.Context, d amqp.Delivery) error {
		if d.Acknowledger != amqp.Acknowledger(host) {
			t.Errorf("the acknowledger is %T", d.Acknowledger)
		}
		return nil
	})(context.Background(), d)
	if asked != 1 || len(rec.Ended()) != 0 {
		t.Errorf("asked %d times, %d spans", asked, len(rec.Ended()))
	}
}

func TestGetKnowsTheBodySize(t *testing.T) {
	rec := newRecorder(t)
	c := amqptrace.NewConsumer("q", rec.options(amqptrace.WithBodySize())...)
	if _, _, err := c.Get(context.Background(), getter{amqp.Delivery{Body: []byte("order")}}, false); err != nil {
		t.Fatal(err)
	}
	if got := attributes(rec.only(t))["messaging.message.body.size"]; got != int64(5) {
		t.Errorf("body size %v", got)
	}
}
