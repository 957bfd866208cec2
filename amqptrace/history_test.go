package amqptrace_test

import (
	"context"
	"reflect"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/mqtrace/mqtrace/amqptrace"
)

func death(queue, reason string, count any) amqp.Table {
	return amqp.Table{"queue": queue, "reason": reason, "count": count, "time": time.Unix(1700000000, 0)}
}

// What the headers mean is tested with the package that reads them, internal/amqphistory.
func TestHistoryAttributes(t *testing.T) {
	headers := amqp.Table{"x-death": []any{
		death("retry", "expired", int64(2)),
		death("q", "rejected", int64(2)),
		amqp.Table{"queue": "old\xff", "reason": "maxlen"},
	}}
	rec := newRecorder(t)
	if err := amqptrace.NewConsumer("q", rec.options()...).Handler(succeed)(
		context.Background(), amqp.Delivery{Headers: headers, Redelivered: true}); err != nil {
		t.Fatal(err)
	}
	got := attributes(rec.only(t))
	for key, want := range map[string]any{
		"mqtrace.attempt":             int64(4),
		"mqtrace.dead_letter.count":   int64(5),
		"mqtrace.dead_letter.queues":  []string{"retry", "q", "old\uFFFD"},
		"mqtrace.dead_letter.reasons": []string{"expired", "rejected", "maxlen"},
		"mqtrace.dead_letter.counts":  []int64{2, 2, 1},
		"mqtrace.dead_letter.times":   []string{"2023-11-14T22:13:20Z", "2023-11-14T22:13:20Z", ""},
	} {
		if !reflect.DeepEqual(got[key], want) {
			t.Errorf("%s is %v, want %v", key, got[key], want)
		}
	}
}

// A message goes round a retry loop until it is accepted: every attempt is in the
// trace of its publish, with its number.
func TestRetryLoop(t *testing.T) {
	onBrokers(t, func(t *testing.T, ch *amqp.Channel) {
		work, retry := unique("work"), unique("retry")
		for queue, args := range map[string]amqp.Table{
			work:  {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": retry},
			retry: {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": work, "x-message-ttl": int32(20)},
		} {
			if err := declare(ch, queue, args); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _, _ = ch.QueueDelete(queue, false, false, false) })
		}
		rec := newRecorder(t)
		if err := amqptrace.NewPublisher(ch, rec.options()...).PublishWithContext(
			context.Background(), "", work, false, false, amqp.Publishing{}); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		n := 0
		for _, d := range amqptrace.NewConsumer(work, rec.options()...).Deliveries(ctx, consume(t, ch, work)) {
			if n++; n < 3 {
				_ = d.Reject(false)
				continue
			}
			_ = d.Ack(false)
			break
		}
		spans := rec.Ended()
		if len(spans) != 4 {
			t.Fatalf("%d spans, want a publish and three attempts", len(spans))
		}
		for i, s := range spans[1:] {
			wantParent(t, s, spans[0].SpanContext())
			if got := attributes(s)["mqtrace.attempt"]; got != int64(i+1) {
				t.Errorf("attempt %v, want %d", got, i+1)
			}
		}
		if got := attributes(spans[3])["mqtrace.dead_letter.count"]; got != int64(4) {
			t.Errorf("dead-lettered %v times, want 4", got)
		}
	})
}

// A quorum queue's message is delivered six times, returned by a nack, a reject and the end
// of a channel in turn, and each delivery has its number. The headers with the counts
// differ by release.
func TestAttemptsInAQuorumQueue(t *testing.T) {
	onURLs(t, func(t *testing.T, url string) {
		queue := unique("quorum")
		ch := open(t, url)
		if _, err := ch.QueueDeclare(queue, true, false, false, false, amqp.Table{"x-queue-type": "quorum"}); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _, _ = open(t, url).QueueDelete(queue, false, false, false) })
		if err := ch.PublishWithContext(t.Context(), "", queue, false, false, amqp.Publishing{}); err != nil {
			t.Fatal(err)
		}
		rec := newRecorder(t)
		handler := func(handle func(amqp.Delivery) error) func(context.Context, amqp.Delivery) error {
			return amqptrace.NewConsumer(queue, rec.options()...).Handler(
				func(_ context.Context, d amqp.Delivery) error { return handle(d) })
		}
		for attempt := 1; attempt <= 6; attempt++ {
			ch := open(t, url)
			d := get(t, ch, queue)
			err := handler(func(d amqp.Delivery) error {
				switch attempt % 3 {
				case 1:
					return d.Nack(false, true)
				case 2:
					return d.Reject(true)
				default:
					return ch.Close()
				}
			})(t.Context(), d)
			if err != nil {
				t.Fatal(err)
			}
			_ = ch.Close()
			if got := attributes(rec.Ended()[attempt-1])["mqtrace.attempt"]; got != int64(attempt) {
				t.Errorf("delivery %d is attempt %v; it has %v", attempt, got, d.Headers)
			}
		}
	})
}

// Counts stay in the headers of a message that a program publishes again, where they are
// those of another queue.
func TestCopiedCountsAreNotBelieved(t *testing.T) {
	onBrokers(t, func(t *testing.T, ch *amqp.Channel) {
		queue := unique("parked")
		if err := declare(ch, queue, nil); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _, _ = ch.QueueDelete(queue, false, false, false) })
		headers := amqp.Table{"x-acquired-count": int64(2), "x-delivery-count": int64(2)}
		if err := ch.PublishWithContext(t.Context(), "", queue, false, false, amqp.Publishing{Headers: headers}); err != nil {
			t.Fatal(err)
		}
		rec := newRecorder(t)
		seen := 0
		c := amqptrace.NewConsumer(queue, rec.options(
			amqptrace.WithRelation(func(m amqptrace.Message) bool { seen = m.Attempt; return true }))...)
		if err := c.Handler(succeed)(t.Context(), next(t, consume(t, ch, queue))); err != nil {
			t.Fatal(err)
		}
		if got := attributes(rec.only(t))["mqtrace.attempt"]; got != int64(1) || seen != 1 {
			t.Errorf("attempt %v on the span and %d for the relation, want 1", got, seen)
		}
	})
}

// A quorum queue counts a message that was copied from another one from the beginning. 4.3
// writes only the count that a nack changes, and leaves the other as it was.
func TestCopiedCountsAndANack(t *testing.T) {
	onBrokers(t, func(t *testing.T, ch *amqp.Channel) {
		queue := unique("quorum")
		if _, err := ch.QueueDeclare(queue, true, false, false, false, amqp.Table{"x-queue-type": "quorum"}); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _, _ = ch.QueueDelete(queue, false, false, false) })
		headers := amqp.Table{"x-delivery-count": int64(3)}
		if err := ch.PublishWithContext(t.Context(), "", queue, false, false, amqp.Publishing{Headers: headers}); err != nil {
			t.Fatal(err)
		}
		rec := newRecorder(t)
		handle := amqptrace.NewConsumer(queue, rec.options()...).Handler(
			func(_ context.Context, d amqp.Delivery) error { return d.Nack(false, true) })
		for attempt := 1; attempt <= 3; attempt++ {
			d := get(t, ch, queue)
			if err := handle(t.Context(), d); err != nil {
				t.Fatal(err)
			}
			if got := attributes(rec.Ended()[attempt-1])["mqtrace.attempt"]; got != int64(attempt) {
				t.Errorf("delivery %d is attempt %v; it has %v", attempt, got, d.Headers)
			}
		}
	})
}
