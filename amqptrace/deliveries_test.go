package amqptrace_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	amqp "github.com/rabbitmq/amqp091-go"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/mqtrace/mqtrace/amqptrace"
)

func deliveries(n int) chan amqp.Delivery {
	ch := make(chan amqp.Delivery, n)
	for i := range n {
		ch <- amqp.Delivery{DeliveryTag: uint64(i + 1), Acknowledger: &acknowledger{}}
	}
	return ch
}

func TestDeliveries(t *testing.T) {
	rec := newRecorder(t)
	ch := deliveries(3)
	close(ch)
	n := 0
	for ctx, d := range amqptrace.NewConsumer("q", rec.options()...).Deliveries(context.Background(), ch) {
		n++
		if !trace.SpanFromContext(ctx).IsRecording() || len(rec.Ended()) != n-1 {
			t.Errorf("message %d: the span is not that of the loop body", n)
		}
		if err := d.Ack(false); err != nil {
			t.Error(err)
		}
	}
	if n != 3 || len(rec.Ended()) != 3 {
		t.Fatalf("%d messages, %d spans", n, len(rec.Ended()))
	}
	if got := attributes(rec.Ended()[2])["mqtrace.settlement"]; got != "ack" {
		t.Errorf("settlement %v", got)
	}
}

func TestDeliveriesLeft(t *testing.T) {
	for name, leave := range map[string]func(*amqptrace.Consumer, <-chan amqp.Delivery){
		"break": func(c *amqptrace.Consumer, ch <-chan amqp.Delivery) {
			for range c.Deliveries(context.Background(), ch) {
				break
			}
		},
		"return": func(c *amqptrace.Consumer, ch <-chan amqp.Delivery) {
			for range c.Deliveries(context.Background(), ch) {
				return
			}
		},
		"panic": func(c *amqptrace.Consumer, ch <-chan amqp.Delivery) {
			defer func() {
				if r := recover(); r != "poison" {
					t.Errorf("recovered %v", r)
				}
			}()
			for range c.Deliveries(context.Background(), ch) {
				panic("poison")
			}
		},
		"cancelled context": func(c *amqptrace.Consumer, ch <-chan amqp.Delivery) {
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			for range c.Deliveries(ctx, ch) {
				cancel()
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			rec := newRecorder(t)
			ch := deliveries(3)
			leave(amqptrace.NewConsumer("q", rec.options()...), ch)
			span := rec.only(t)
			if failed := span.Status().Code == codes.Error; failed != (name == "panic") {
				t.Errorf("status %v", span.Status())
			}
			if len(ch) != 2 {
				t.Errorf("%d deliveries are left in the channel, want 2", len(ch))
			}
		})
	}
}

func TestDeliveriesWaitEndsWithTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan struct{})
		go func() {
			defer close(done)
			for range amqptrace.NewConsumer("q").Deliveries(ctx, make(chan amqp.Delivery)) {
				t.Error("a message out of nowhere")
			}
		}()
		synctest.Wait() // until the loop waits for a message
		cancel()
		<-done
	})
}

func TestFail(t *testing.T) {
	rec := newRecorder(t)
	ch := deliveries(1)
	close(ch)
	for ctx := range amqptrace.NewConsumer("q", rec.options()...).Deliveries(context.Background(), ch) {
		inner, span := rec.start(ctx, "inner")
		amqptrace.Fail(inner, nil)
		amqptrace.Fail(inner, customError{})
		amqptrace.Fail(inner, errors.New("a later one"))
		span.End()
	}
	ended := rec.Ended()
	if len(ended) != 2 || ended[0].Status().Code != codes.Unset {
		t.Fatalf("%d spans, status of the inner one %v", len(ended), ended[0].Status())
	}
	if s := ended[1].Status(); s.Code != codes.Error || s.Description != "custom" {
		t.Errorf("status %v", s)
	}
	amqptrace.Fail(context.Background(), customError{})
	amqptrace.Fail(noContext, customError{})
}
