package amqptrace_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/mqtrace/mqtrace/amqptrace"
	"github.com/mqtrace/mqtrace/carrier"
)

// created returns n deliveries, each of a different trace.
func created(t *testing.T, n int, host amqp.Acknowledger) []amqp.Delivery {
	t.Helper()
	rec := newRecorder(t)
	ds := make([]amqp.Delivery, n)
	for i := range ds {
		ctx, span := rec.start(context.Background(), "producer")
		span.End()
		ds[i] = amqp.Delivery{
			DeliveryTag: uint64(i + 1), MessageId: fmt.Sprint("m", i), Exchange: "x", RoutingKey: fmt.Sprint("k", i%3),
			Headers: amqp.Table(carrier.Table(nil).Inject(ctx, propagator)), Acknowledger: host,
		}
	}
	return ds
}

// What samplers and alerts use is on the span, with the most severe value, and what belongs
// to one message is on its link.
func TestBatchHasTheMostSevere(t *testing.T) {
	rec := newRecorder(t)
	ds := created(t, 5, &acknowledger{})
	sent := func(age time.Duration) string { return fmt.Sprint(time.Now().Add(-age).UnixMicro()) }
	for i, age := range []time.Duration{time.Second, time.Hour, time.Minute, time.Second, time.Second} {
		ds[i].Headers["mqtrace-sent-at"] = sent(age)
		ds[i].Body = make([]byte, 10*i)
	}
	ds[1].Redelivered = true
	ds[2].Headers["x-death"] = []any{death("other", "rejected", int64(3))}
	ds[3].Headers["x-death"] = []any{death("other", "expired", int64(1))}
	delete(ds[4].Headers, "traceparent")
	c := amqptrace.NewConsumer("q", rec.options(amqptrace.WithQueueTime(), amqptrace.WithBodySize())...)
	if err := c.BatchHandler(func(_ context.Context, ds []amqp.Delivery) error { return ds[4].Ack(true) })(context.Background(), ds); err != nil {
		t.Fatal(err)
	}
	span := rec.only(t)
	got := attributes(span)
	seconds, _ := got["mqtrace.queue_time"].(float64)
	if seconds < 3600 || seconds > 3700 || got["mqtrace.attempt"] != int64(2) || got["mqtrace.dead_letter.count"] != int64(3) ||
		fmt.Sprint(got["mqtrace.dead_letter.reasons"]) != "[rejected]" || got["messaging.message.body.size"] != int64(40) ||
		got["mqtrace.batch.without_context"] != int64(1) || got["mqtrace.batch.unlinked"] != nil ||
		got["messaging.destination.template"] != "q" {
		t.Errorf("the span has %v", got)
	}
	for _, l := range span.Links() {
		set := attribute.NewSet(l.Attributes...)
		id, _ := set.Value("messaging.message.id")
		size, hasSize := set.Value("messaging.message.body.size")
		_, hasTime := set.Value("mqtrace.queue_time")
		deaths, _ := set.Value("mqtrace.dead_letter.count")
		if !hasSize || !hasTime || size.AsInt64() != 10*int64(id.AsString()[1]-'0') || (deaths.AsInt64() == 3) != (id.AsString() == "m2") {
			t.Errorf("the link of %s has %v", id.AsString(), l.Attributes)
		}
	}
}

// The SDK drops the first of too many links. The ones that matter are kept, and the rest
// are counted.
func TestLargeBatch(t *testing.T) {
	const n, limit = 300, 128
	rec := newRecorder(t)
	ds := created(t, n, &acknowledger{})
	dead, failed := []int{0, 7, 150, 299}, []int{1, 100, 298}
	for _, i := range dead {
		ds[i].Headers["x-death"] = []any{death("other", "rejected", int64(1))}
	}
	err := amqptrace.NewConsumer("q", rec.options()...).BatchHandler(func(_ context.Context, ds []amqp.Delivery) error {
		for i, d := range ds {
			settle := d.Ack
			if slices.Contains(failed, i) {
				settle = d.Reject
			}
			if err := settle(false); err != nil {
				return err
			}
		}
		return nil
	})(context.Background(), ds)
	if err != nil {
		t.Fatal(err)
	}
	span := rec.only(t)
	if got := attributes(span); len(span.Links()) != limit || got["mqtrace.batch.unlinked"] != int64(n+len(failed)-limit) || got["mqtrace.settlement"] != "reject" {
		t.Errorf("%d links, attributes %v", len(span.Links()), got)
	}
	settlements := map[string]string{}
	for _, l := range span.Links() {
		set := attribute.NewSet(l.Attributes...)
		id, _ := set.Value("messaging.message.id")
		settlement, _ := set.Value("mqtrace.settlement")
		settlements[id.AsString()] = settlement.AsString()
	}
	for _, i := range dead {
		if _, ok := settlements[fmt.Sprint("m", i)]; !ok {
			t.Errorf("message %d, a dead letter, is not linked", i)
		}
	}
	for _, i := range failed {
		if settlements[fmt.Sprint("m", i)] != "reject" {
			t.Errorf("message %d, which was given up, is linked as %q", i, settlements[fmt.Sprint("m", i)])
		}
	}
}

// wrapper is a user's acknowledger, one for each delivery.
type wrapper struct{ amqp.Acknowledger }

// The messages of a settlement are found, in whatever order messages are settled.
func TestBatchIsSettled(t *testing.T) {
	for name, tt := range map[string]struct {
		wrap   func(amqp.Acknowledger) amqp.Acknowledger
		settle func(ds []amqp.Delivery) error
		want   any
	}{
		"one by one":    {settle: func(ds []amqp.Delivery) error { return each(ds, func(d amqp.Delivery) error { return d.Ack(false) }) }, want: "ack"},
		"all at once":   {settle: func(ds []amqp.Delivery) error { return ds[len(ds)-1].Ack(true) }, want: "ack"},
		"all, by tag 0": {settle: func(ds []amqp.Delivery) error { return ds[0].Acknowledger.Ack(0, true) }, want: "ack"},
		"all but one":   {settle: func(ds []amqp.Delivery) error { return ds[len(ds)-2].Ack(true) }, want: nil},
		"by the tag of others": {settle: func(ds []amqp.Delivery) error {
			return each(ds, func(d amqp.Delivery) error { return ds[0].Acknowledger.Ack(d.DeliveryTag, false) })
		}, want: "ack"},
		"in steps": {settle: func(ds []amqp.Delivery) error {
			return each(ds, func(d amqp.Delivery) error {
				if d.DeliveryTag%7 != 0 && int(d.DeliveryTag) != len(ds) {
					return nil
				}
				return d.Ack(true)
			})
		}, want: "ack"},
		"in any order": {settle: func(ds []amqp.Delivery) error {
			rand.Shuffle(len(ds), func(i, j int) { ds[i], ds[j] = ds[j], ds[i] })
			return each(ds, func(d amqp.Delivery) error { return d.Ack(d.DeliveryTag%2 == 0) })
		}, want: "ack"},
		"one given up": {settle: func(ds []amqp.Delivery) error {
			return each(ds, func(d amqp.Delivery) error {
				if d.DeliveryTag == 2 {
					return d.Reject(false)
				}
				return d.Ack(true)
			})
		}, want: "reject"},
		"wrapped by the user": {
			wrap:   func(a amqp.Acknowledger) amqp.Acknowledger { return &wrapper{a} },
			settle: func(ds []amqp.Delivery) error { return ds[len(ds)-1].Ack(true) }, want: "ack",
		},
		"wrapped by value": {
			wrap:   func(a amqp.Acknowledger) amqp.Acknowledger { return wrapper{a} },
			settle: func(ds []amqp.Delivery) error { return ds[len(ds)-1].Ack(true) }, want: "ack",
		},
	} {
		t.Run(name, func(t *testing.T) {
			rec := newRecorder(t)
			ds := created(t, 40, &acknowledger{})
			for i := range ds {
				if tt.wrap != nil {
					ds[i].Acknowledger = tt.wrap(ds[i].Acknowledger)
				}
			}
			err := amqptrace.NewConsumer("q", rec.options()...).BatchHandler(
				func(_ context.Context, ds []amqp.Delivery) error { return tt.settle(ds) })(context.Background(), ds)
			if err != nil {
				t.Fatal(err)
			}
			if got := attributes(rec.only(t))["mqtrace.settlement"]; got != tt.want {
				t.Errorf("settlement %v, want %v", got, tt.want)
			}
		})
	}
}

func each(ds []amqp.Delivery, settle func(amqp.Delivery) error) error {
	for _, d := range ds {
		if err := settle(d); err != nil {
			return err
		}
	}
	return nil
}

// BenchmarkBatchSettlement has a cost for each message that does not grow with their number.
func BenchmarkBatchSettlement(b *testing.B) {
	for _, n := range []int{100, 10_000, 100_000} {
		for name, multiple := range map[string]bool{"one by one": false, "in steps": true} {
			b.Run(fmt.Sprint(n, " ", name), func(b *testing.B) {
				ds := make([]amqp.Delivery, n)
				for i := range ds {
					ds[i] = amqp.Delivery{DeliveryTag: uint64(i + 1), Acknowledger: benchHost{}}
				}
				handle := amqptrace.NewConsumer("q", amqptrace.WithTracerProvider(sdktrace.NewTracerProvider())).BatchHandler(
					func(_ context.Context, ds []amqp.Delivery) error {
						return each(ds, func(d amqp.Delivery) error { return d.Ack(multiple) })
					})
				for b.Loop() {
					_ = handle(context.Background(), ds)
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/message")
			})
		}
	}
}
