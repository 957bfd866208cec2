package amqptrace_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/mqtrace/mqtrace/amqptrace"
)

func death(queue, reason string, count any) amqp.Table {
	return amqp.Table{"queue": queue, "reason": reason, "count": count, "time": time.Unix(1700000000, 0)}
}

func TestAttempts(t *testing.T) {
	var long []any
	for i := range 20 {
		long = append(long, death(fmt.Sprint("q", i), "expired", int64(1)))
	}
	for name, tt := range map[string]struct {
		headers     amqp.Table
		redelivered bool
		attempt     int64
		deaths      any
		queues      any
	}{
		"first":                   {nil, false, 1, nil, nil},
		"redelivered":             {nil, true, 2, nil, nil},
		"quorum, first":           {amqp.Table{"x-delivery-count": int64(0)}, false, 1, nil, nil},
		"quorum, third":           {amqp.Table{"x-delivery-count": int64(2)}, true, 3, nil, nil},
		"retry loop":              {amqp.Table{"x-death": []any{death("retry", "expired", int64(2)), death("q", "rejected", int64(2))}}, false, 3, int64(4), []string{"retry", "q"}},
		"retry loop, redelivered": {amqp.Table{"x-death": []any{death("retry", "expired", int64(1)), death("q", "rejected", int64(1))}}, true, 3, int64(2), []string{"retry", "q"}},
		"delivery limit":          {amqp.Table{"x-death": []any{death("q", "delivery_limit", int64(1))}}, false, 2, int64(1), []string{"q"}},
		"expired unseen":          {amqp.Table{"x-death": []any{death("q", "expired", int64(5))}}, false, 1, int64(5), []string{"q"}},
		"bounded":                 {amqp.Table{"x-death": long}, false, 1, int64(20), []string{"q0", "q1", "q2", "q3", "q4", "q5", "q6", "q7"}},
		"hostile types": {amqp.Table{"x-death": []any{nil, "x", int64(1), amqp.Table{}, death("q", "rejected", "many")},
			"x-delivery-count": "2"}, false, 2, int64(2), []string{"", "q"}},
		"hostile numbers": {amqp.Table{"x-death": []any{death("q", "rejected", int64(-5)), death("q", "rejected", int64(1<<62))},
			"x-delivery-count": int64(-1)}, false, 2 + 1<<30, int64(1 << 30), []string{"q", "q"}},
		"no list": {amqp.Table{"x-death": "x"}, false, 1, nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			rec := newRecorder(t)
			if err := amqptrace.NewConsumer("q", rec.options()...).Handler(succeed)(
				context.Background(), amqp.Delivery{Headers: tt.headers, Redelivered: tt.redelivered}); err != nil {
				t.Fatal(err)
			}
			got := attributes(rec.only(t))
			if got["mqtrace.attempt"] != tt.attempt || got["mqtrace.dead_letter.count"] != tt.deaths ||
				fmt.Sprint(got["mqtrace.dead_letter.queues"]) != fmt.Sprint(tt.queues) {
				t.Errorf("attempt %v, deaths %v in %v", got["mqtrace.attempt"], got["mqtrace.dead_letter.count"], got["mqtrace.dead_letter.queues"])
			}
			if times := fmt.Sprint(got["mqtrace.dead_letter.times"]); name == "retry loop" && !strings.Contains(times, "2023-11-14T22:13:20Z") {
				t.Errorf("times %v", times)
			}
		})
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
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
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
