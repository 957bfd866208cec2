package amqptrace_test

import (
	"context"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"
	"go.opentelemetry.io/otel/baggage"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/mqtrace/mqtrace/amqptrace"
)

// One message, one trace: published under an HTTP request, rejected by its
// consumer, dead-lettered, and taken by the consumer of the dead letters.
func TestOneTraceThroughTheBroker(t *testing.T) {
	onBrokers(t, func(t *testing.T, ch *amqp.Channel) {
		exchange, queue, dead := topology(t, ch)
		if err := ch.Confirm(false); err != nil {
			t.Fatal(err)
		}
		rec := newRecorder(t)
		pub := amqptrace.NewPublisher(ch, rec.options()...)

		ctx, request := rec.start(tenantContext(t), "POST /orders")
		confirmation, err := pub.PublishWithDeferredConfirmWithContext(ctx, exchange, "k.1", true, false,
			amqp.Publishing{Headers: amqp.Table{"n": int32(1), "raw": []byte{0xff}}, Body: []byte("order")})
		if err != nil {
			t.Fatal(err)
		}
		request.End()
		if ok, err := confirmation.WaitContext(context.Background()); err != nil || !ok {
			t.Fatalf("confirmed: %v, %v", ok, err)
		}

		reject := amqptrace.NewConsumer(queue, rec.options()...).Handler(
			func(_ context.Context, d amqp.Delivery) error { return d.Reject(false) })
		if err := reject(context.Background(), next(t, consume(t, ch, queue))); err != nil {
			t.Fatal(err)
		}
		accept := amqptrace.NewConsumer(dead, rec.options()...).Handler(func(ctx context.Context, d amqp.Delivery) error {
			if v := baggage.FromContext(ctx).Member("tenant.id").Value(); v != "t1" {
				t.Errorf("baggage %q", v)
			}
			if d.Headers["n"] != int32(1) || string(d.Body) != "order" || d.Headers["x-death"] == nil {
				t.Errorf("the message became %v %q", d.Headers, d.Body)
			}
			return d.Ack(false)
		})
		if err := accept(context.Background(), next(t, consume(t, ch, dead))); err != nil {
			t.Fatal(err)
		}

		spans := rec.Ended() // in the order in which they ended
		if len(spans) != 4 {
			t.Fatalf("%d spans, want 4", len(spans))
		}
		publish, rejected, accepted := spans[0], spans[2], spans[3]
		wantParent(t, publish, request.SpanContext())
		for _, s := range []sdktrace.ReadOnlySpan{rejected, accepted} {
			wantParent(t, s, publish.SpanContext())
			wantLinks(t, s, publish.SpanContext())
		}
		if got := attributes(rejected); got["mqtrace.settlement"] != "reject" || got["error.type"] != "rejected" {
			t.Errorf("the rejected message's span has %v", got)
		}
		if got := attributes(accepted)["messaging.destination.name"]; got != dead {
			t.Errorf("the dead letter came from %v, want %s", got, dead)
		}
		if s := trace.SpanFromContext(context.Background()); s.SpanContext().IsValid() {
			t.Error("a span leaked into the background context")
		}
	})
}

func tenantContext(t testing.TB) context.Context {
	t.Helper()
	m, err := baggage.NewMember("tenant.id", "t1")
	if err != nil {
		t.Fatal(err)
	}
	bag, err := baggage.New(m)
	if err != nil {
		t.Fatal(err)
	}
	return baggage.ContextWithBaggage(context.Background(), bag)
}

// A message that is requeued comes back with the same trace context: both attempts
// are children of the one publish span.
func TestRedeliveryStaysInTheTrace(t *testing.T) {
	onBrokers(t, func(t *testing.T, ch *amqp.Channel) {
		exchange, queue, _ := topology(t, ch)
		rec := newRecorder(t)
		err := amqptrace.NewPublisher(ch, rec.options()...).PublishWithContext(
			context.Background(), exchange, "k", false, false, amqp.Publishing{})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		for _, d := range amqptrace.NewConsumer(queue, rec.options()...).Deliveries(ctx, consume(t, ch, queue)) {
			if d.Redelivered {
				if err := d.Ack(false); err != nil {
					t.Error(err)
				}
				break
			}
			if err := d.Nack(false, true); err != nil {
				t.Error(err)
			}
		}
		spans := rec.Ended()
		if len(spans) != 3 {
			t.Fatalf("%d spans, want 3", len(spans))
		}
		for i, want := range []string{"requeue", "ack"} {
			wantParent(t, spans[i+1], spans[0].SpanContext())
			if got := attributes(spans[i+1])["mqtrace.settlement"]; got != want {
				t.Errorf("attempt %d: settlement %v, want %s", i+1, got, want)
			}
		}
	})
}

// The program gets the host's errors unchanged, and the span records them.
func TestPublishOnAClosedChannel(t *testing.T) {
	onBrokers(t, func(t *testing.T, ch *amqp.Channel) {
		if err := ch.Close(); err != nil {
			t.Fatal(err)
		}
		rec := newRecorder(t)
		err := amqptrace.NewPublisher(ch, rec.options()...).PublishWithContext(
			context.Background(), "x", "k", false, false, amqp.Publishing{})
		if err != error(amqp.ErrClosed) { // the very same error
			t.Errorf("error %v, want amqp.ErrClosed itself", err)
		}
		if got := attributes(rec.only(t))["error.type"]; got != "CHANNEL_ERROR" {
			t.Errorf("error.type %v", got)
		}
	})
}

// For headers that AMQP cannot carry the caller gets the host's error, and those that it
// can carry are not changed on the way.
func TestHeadersThatTheHostRefuses(t *testing.T) {
	onBrokers(t, func(t *testing.T, ch *amqp.Channel) {
		rec := newRecorder(t)
		err := amqptrace.NewPublisher(ch, rec.options()...).PublishWithContext(
			context.Background(), "", "nowhere", false, false, amqp.Publishing{Headers: amqp.Table{"n": uint64(1)}})
		if err == nil {
			t.Error("no error")
		}
		rec.only(t)
	})
}

// The broker cancels the consumers of a queue that is deleted: the loop ends.
func TestDeliveriesEndWithTheConsumer(t *testing.T) {
	onBrokers(t, func(t *testing.T, ch *amqp.Channel) {
		exchange, queue, _ := topology(t, ch)
		rec := newRecorder(t)
		if err := ch.PublishWithContext(context.Background(), exchange, "k", false, false, amqp.Publishing{}); err != nil {
			t.Fatal(err)
		}
		n := 0
		for _, d := range amqptrace.NewConsumer(queue, rec.options()...).Deliveries(context.Background(), consume(t, ch, queue)) {
			n++
			if err := d.Ack(false); err != nil {
				t.Error(err)
			}
			if _, err := ch.QueueDelete(queue, false, false, false); err != nil {
				t.Fatal(err)
			}
		}
		if n != 1 || len(rec.Ended()) != 1 {
			t.Errorf("%d messages, %d spans", n, len(rec.Ended()))
		}
	})
}

// Messages not settled when their channel is closed are redelivered, on another channel
// with other tags, and a late acknowledgement is the host's error.
func TestSettlementOnAClosedChannel(t *testing.T) {
	onURLs(t, func(t *testing.T, url string) {
		ch, other := open(t, url), open(t, url)
		exchange, queue, _ := topology(t, other)
		rec := newRecorder(t)
		if err := ch.PublishWithContext(context.Background(), exchange, "k", false, false, amqp.Publishing{}); err != nil {
			t.Fatal(err)
		}
		handle := amqptrace.NewConsumer(queue, rec.options()...).Handler(func(_ context.Context, d amqp.Delivery) error {
			if d.Redelivered {
				return d.Ack(false)
			}
			if err := ch.Close(); err != nil {
				t.Error(err)
			}
			return d.Ack(false)
		})
		if err := handle(context.Background(), next(t, consume(t, ch, queue))); err != error(amqp.ErrClosed) {
			t.Errorf("error %v, want the host's", err)
		}
		if err := handle(context.Background(), next(t, consume(t, other, queue))); err != nil {
			t.Error(err)
		}
		for i, want := range []map[string]any{
			{"mqtrace.settlement": nil, "error.type": "CHANNEL_ERROR", "mqtrace.attempt": int64(1)},
			{"mqtrace.settlement": "ack", "mqtrace.attempt": int64(2)},
		} {
			for k, v := range want {
				if got := attributes(rec.Ended()[i])[k]; got != v {
					t.Errorf("attempt %d: %s is %v, want %v", i+1, k, got, v)
				}
			}
		}
	})
}

// A loop that calls a handler processes each message once.
func TestHandlerInALoop(t *testing.T) {
	onURLs(t, func(t *testing.T, url string) {
		s := newScene(t, url)
		s.put("m1", nil)
		ds := make(chan amqp.Delivery, 1)
		ds <- s.take(s.q)
		close(ds)
		c := s.consumer(s.q)
		handle := c.Handler(func(_ context.Context, d amqp.Delivery) error { return d.Ack(false) })
		for ctx, d := range c.Deliveries(context.Background(), ds) {
			s.ok(handle(ctx, d))
		}
		s.checkPoints([]string{"process.duration process Q", "client.consumed.messages process Q", "mqtrace.messages.settled process Q ack"})
		if got := attributes(s.only2())["mqtrace.settlement"]; got != "ack" {
			t.Errorf("settlement %v", got)
		}
	})
}
