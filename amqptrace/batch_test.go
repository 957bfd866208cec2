package amqptrace_test

import (
	"context"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/trace"

	"github.com/mqtrace/mqtrace/amqptrace"
)

func TestBatchOfDifferentMessages(t *testing.T) {
	rec := newRecorder(t)
	headers, created := message(t)
	host := &acknowledger{}
	batch := []amqp.Delivery{
		{Exchange: "x", RoutingKey: "a", DeliveryTag: 1, MessageId: "m1", Headers: headers, Acknowledger: host},
		{Exchange: "x", RoutingKey: "b", DeliveryTag: 2, CorrelationId: "c2", Headers: headers, Acknowledger: host},
		{Exchange: "x", RoutingKey: "c", DeliveryTag: 3, Acknowledger: host},
	}
	err := amqptrace.NewConsumer("q", rec.options()...).BatchHandler(func(ctx context.Context, ds []amqp.Delivery) error {
		if baggage.FromContext(ctx).Len() != 0 || len(ds) != 3 {
			t.Errorf("%d messages, baggage %v", len(ds), baggage.FromContext(ctx))
		}
		for _, d := range ds {
			if err := d.Ack(false); err != nil {
				return err
			}
		}
		return nil
	})(context.Background(), batch)
	if err != nil {
		t.Fatal(err)
	}
	if batch[0].Acknowledger != amqp.Acknowledger(host) {
		t.Error("the caller's slice was written to")
	}
	span := rec.only(t)
	wantLinks(t, span, created, created)
	wantAttributes(t, span, map[string]any{
		"messaging.system": "rabbitmq", "messaging.operation.name": "process", "messaging.operation.type": "process",
		"messaging.batch.message_count": int64(3), "mqtrace.settlement": "ack", "mqtrace.attempt": int64(1),
		"messaging.destination.template": "q", "mqtrace.batch.without_context": int64(1),
	})
	if own := span.Links()[1].Attributes; len(own) != 4 || own[0].Value.AsString() != "x:b:q" || own[1].Value.AsString() != "b" ||
		own[2].Value.AsString() != "c2" || own[3].Value.AsInt64() != 2 {
		t.Errorf("the second link has %v", own)
	}
	if err := amqptrace.NewConsumer("q", rec.options()...).BatchHandler(func(context.Context, []amqp.Delivery) error {
		return customError{}
	})(noContext, nil); err != error(customError{}) {
		t.Errorf("an empty batch: %v", err)
	}
	rec.only(t)
}

// If a message without tracing settles the others with it, it does so for the span, too.
func TestBatchWithAFilteredMessage(t *testing.T) {
	onURLs(t, func(t *testing.T, url string) {
		s := newScene(t, url)
		for _, id := range []string{"m1", "m2", "m3"} {
			s.put(id, nil)
		}
		batch := []amqp.Delivery{s.take(s.q), s.take(s.q), s.take(s.q)}
		batch[2].Exchange = "quiet"
		filter := amqptrace.WithFilter(func(m amqptrace.Message) bool { return m.Exchange != "quiet" })
		s.ok(s.consumer(s.q, filter).BatchHandler(func(_ context.Context, ds []amqp.Delivery) error {
			return ds[2].Ack(true)
		})(context.Background(), batch))
		span := s.only2()
		wantLinks(t, span, s.messages["m1"], s.messages["m2"])
		if got := attributes(span)["mqtrace.settlement"]; got != "ack" {
			t.Errorf("settlement %v", got)
		}
	})
}

// Tags restart when a channel is recovered: the same tag is then another delivery.
func TestBatchWithEqualTags(t *testing.T) {
	onURLs(t, func(t *testing.T, url string) {
		s := newScene(t, url)
		s.put("m1", nil)
		d := s.take(s.q)
		s.ok(s.consumer(s.q).BatchHandler(func(_ context.Context, ds []amqp.Delivery) error {
			return ds[1].Ack(false)
		})(context.Background(), []amqp.Delivery{d, d}))
		if got := attributes(s.only2())["mqtrace.settlement"]; got != nil {
			t.Errorf("settlement %v, but one of the two is unsettled", got)
		}
	})
}

func TestBatchInATraceOfItsOwn(t *testing.T) {
	onURLs(t, func(t *testing.T, url string) {
		s := newScene(t, url)
		s.put("m1", nil)
		c := s.consumer(s.q, amqptrace.WithRelation(amqptrace.NewTrace))
		s.ok(c.BatchHandler(func(_ context.Context, ds []amqp.Delivery) error { return ds[0].Ack(false) })(s.ctx, []amqp.Delivery{s.take(s.q)}))
		span := s.only2()
		wantParent(t, span, trace.SpanContext{})
		wantLinks(t, span, s.messages["m1"], s.caller.SpanContext())
	})
}

// Tags of two channels cannot be compared.
func TestBatchOfTwoChannels(t *testing.T) {
	onURLs(t, func(t *testing.T, url string) {
		s := newScene(t, url)
		s.put("m1", nil)
		s.put("m2", nil)
		other, ok, err := open(t, url).Get(s.q, false)
		if err != nil || !ok {
			t.Fatal("no message: ", err)
		}
		s.ok(s.consumer(s.q).BatchHandler(func(_ context.Context, ds []amqp.Delivery) error {
			return ds[0].Ack(true)
		})(context.Background(), []amqp.Delivery{s.take(s.q), other}))
		if got := attributes(s.only2())["mqtrace.settlement"]; got != nil {
			t.Errorf("settlement %v, but the other channel's message is unsettled", got)
		}
	})
}

// One settlement of several messages is one span, linked to each.
func TestBatchWithSettleSpans(t *testing.T) {
	onURLs(t, func(t *testing.T, url string) {
		s := newScene(t, url)
		s.put("m1", nil)
		s.put("m2", nil)
		s.ok(s.consumer(s.q, amqptrace.WithSettleSpans()).BatchHandler(func(_ context.Context, ds []amqp.Delivery) error {
			return ds[1].Ack(true)
		})(context.Background(), []amqp.Delivery{s.take(s.q), s.take(s.q)}))
		settle := s.Ended()[0]
		if name := s.names().Replace(settle.Name()); len(s.Ended()) != 2 || name != "ack Q" {
			t.Fatalf("%d spans, the first is %s", len(s.Ended()), name)
		}
		wantLinks(t, settle, s.messages["m1"], s.messages["m2"])
	})
}

// What is measured for each message of a batch, and where its queue time is recorded.
func TestBatchArrives(t *testing.T) {
	onURLs(t, func(t *testing.T, url string) {
		s := newScene(t, url)
		began := time.Now()
		s.ok(s.publisher(amqptrace.WithQueueTime()).PublishConfirmed(s.ctx, s.x, "k.1", true, false, amqp.Publishing{}))
		c, err := s.ch.PublishWithDeferredConfirmWithContext(s.ctx, s.x, "k.1", true, false, amqp.Publishing{})
		if err != nil || !c.Wait() {
			t.Fatal("the message was not taken: ", err)
		}
		batch := []amqp.Delivery{s.take(s.q), s.take(s.q)}
		time.Sleep(20 * time.Millisecond)
		s.ok(s.consumer(s.q, amqptrace.WithQueueTime()).BatchHandler(func(_ context.Context, ds []amqp.Delivery) error {
			return ds[1].Ack(true)
		})(context.Background(), batch))
		links := s.Ended()[1].Links()
		if len(links) != 1 {
			t.Fatalf("%d links", len(links))
		}
		set := attribute.NewSet(links[0].Attributes...)
		if v, ok := set.Value("mqtrace.queue_time"); !ok || v.AsFloat64() < 0.02 || v.AsFloat64() > time.Since(began).Seconds() {
			t.Errorf("queue time %v s", v.AsFloat64())
		}
		s.checkPoints([]string{
			"client.operation.duration publish X", "client.sent.messages publish X",
			"process.duration process Q", "client.consumed.messages process Q", "mqtrace.messages.settled process Q ack", "client.consumed.messages process Q", "mqtrace.messages.settled process Q ack",
			"mqtrace.queue_time process Q", "mqtrace.messages.without_context process Q",
		})
	})
}

// A batch records what the span of a single message records: what differs is on the links,
// and what the messages have in common on the span.
func TestBatchKnowsDeathsAndSizes(t *testing.T) {
	rec := newRecorder(t)
	headers, _ := message(t)
	dead, _ := message(t)
	dead["x-death"] = []any{amqp.Table{"queue": "q", "reason": "rejected", "count": int64(2)}}
	batch := []amqp.Delivery{
		{Exchange: "x", RoutingKey: "a", DeliveryTag: 1, Headers: headers, Body: []byte("12345")},
		{Exchange: "x", RoutingKey: "a", DeliveryTag: 2, Headers: dead, Body: []byte("12345")},
	}
	_ = amqptrace.NewConsumer("q", rec.options(amqptrace.WithBodySize())...).BatchHandler(
		func(context.Context, []amqp.Delivery) error { return nil })(context.Background(), batch)
	span := rec.only(t)
	if got := attributes(span); got["messaging.message.body.size"] != int64(5) || got["messaging.destination.name"] != "x:a:q" {
		t.Errorf("the span has %v", got)
	}
	links := span.Links()
	first, second := attribute.NewSet(links[0].Attributes...), attribute.NewSet(links[1].Attributes...)
	if first.HasValue("mqtrace.dead_letter.count") || first.HasValue("messaging.message.body.size") {
		t.Errorf("the first link has %v", links[0].Attributes)
	}
	if v, _ := second.Value("mqtrace.dead_letter.count"); v.AsInt64() != 2 {
		t.Errorf("the second link has %v", links[1].Attributes)
	}
	if v, _ := second.Value("mqtrace.attempt"); v.AsInt64() != 3 {
		t.Errorf("the second link has %v", links[1].Attributes)
	}
}
