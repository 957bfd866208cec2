package amqptrace_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/mqtrace/mqtrace/amqptrace"
)

func TestSettlement(t *testing.T) {
	tests := map[string]struct {
		settle    func(amqp.Delivery) error
		want      any
		errorType any
		call      settled
	}{
		"ack":            {func(d amqp.Delivery) error { return d.Ack(false) }, "ack", nil, settled{"ack", 5, false, false}},
		"ack multiple":   {func(d amqp.Delivery) error { return d.Ack(true) }, "ack", nil, settled{"ack", 5, true, false}},
		"ack all":        {func(d amqp.Delivery) error { return d.Acknowledger.Ack(0, true) }, "ack", nil, settled{"ack", 0, true, false}},
		"ack up to more": {func(d amqp.Delivery) error { return d.Acknowledger.Ack(9, true) }, "ack", nil, settled{"ack", 9, true, false}},
		"ack of another": {func(d amqp.Delivery) error { return d.Acknowledger.Ack(9, false) }, nil, nil, settled{"ack", 9, false, false}},
		"ack up to less": {func(d amqp.Delivery) error { return d.Acknowledger.Ack(4, true) }, nil, nil, settled{"ack", 4, true, false}},
		"nack":           {func(d amqp.Delivery) error { return d.Nack(false, false) }, "nack", "rejected", settled{"nack", 5, false, false}},
		"nack requeue":   {func(d amqp.Delivery) error { return d.Nack(true, true) }, "requeue", nil, settled{"nack", 5, true, true}},
		"reject":         {func(d amqp.Delivery) error { return d.Reject(false) }, "reject", "rejected", settled{"reject", 5, false, false}},
		"reject requeue": {func(d amqp.Delivery) error { return d.Reject(true) }, "requeue", nil, settled{"reject", 5, false, true}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			rec := newRecorder(t)
			host := &acknowledger{}
			err := amqptrace.NewConsumer("q", rec.options()...).Handler(
				func(_ context.Context, d amqp.Delivery) error { return tt.settle(d) },
			)(context.Background(), amqp.Delivery{DeliveryTag: 5, Acknowledger: host})
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(host.calls, []settled{tt.call}) {
				t.Errorf("the host got %v, want %v", host.calls, tt.call)
			}
			span := rec.only(t)
			got := attributes(span)
			if got["mqtrace.settlement"] != tt.want || got["error.type"] != tt.errorType {
				t.Errorf("settlement %v, error.type %v", got["mqtrace.settlement"], got["error.type"])
			}
			if failed := span.Status().Code == codes.Error; failed != (tt.errorType != nil) {
				t.Errorf("status %v", span.Status())
			}
		})
	}
}

// The handler's own error says more than that the message was given up.
func TestHandlerErrorBeforeRejection(t *testing.T) {
	rec := newRecorder(t)
	_ = amqptrace.NewConsumer("q", rec.options()...).Handler(func(_ context.Context, d amqp.Delivery) error {
		return errors.Join(customError{}, d.Nack(false, false))
	})(context.Background(), amqp.Delivery{DeliveryTag: 1, Acknowledger: &acknowledger{}})
	got := attributes(rec.only(t))
	if got["error.type"] == "rejected" || got["mqtrace.settlement"] != "nack" {
		t.Errorf("attributes %v", got)
	}
}

// A settlement that the host refused did not happen. The next one may.
func TestRefusedSettlement(t *testing.T) {
	rec := newRecorder(t)
	host := &acknowledger{err: amqp.ErrClosed}
	err := amqptrace.NewConsumer("q", rec.options()...).Handler(func(_ context.Context, d amqp.Delivery) error {
		if err := d.Ack(false); !errors.Is(err, amqp.ErrClosed) {
			t.Errorf("error %v, want the host's", err)
		}
		host.err = nil
		return d.Nack(false, true)
	})(context.Background(), amqp.Delivery{DeliveryTag: 1, Acknowledger: host})
	if err != nil {
		t.Fatal(err)
	}
	if got := attributes(rec.only(t))["mqtrace.settlement"]; got != "requeue" {
		t.Errorf("settlement %v", got)
	}
}

func TestFirstSettlementCounts(t *testing.T) {
	rec := newRecorder(t)
	_ = amqptrace.NewConsumer("q", rec.options()...).Handler(func(_ context.Context, d amqp.Delivery) error {
		return errors.Join(d.Ack(false), d.Nack(false, false))
	})(context.Background(), amqp.Delivery{DeliveryTag: 1, Acknowledger: &acknowledger{}})
	if got := attributes(rec.only(t))["mqtrace.settlement"]; got != "ack" {
		t.Errorf("settlement %v", got)
	}
}

// A handler may pass its delivery to a goroutine that settles it later.
func TestSettlementAfterTheHandler(t *testing.T) {
	for name, tt := range map[string]struct {
		settle  func(amqp.Delivery) error
		name    string
		outcome string
		err     error
	}{
		"ack":     {func(d amqp.Delivery) error { return d.Ack(true) }, "ack q", "ack", nil},
		"nack":    {func(d amqp.Delivery) error { return d.Nack(false, false) }, "nack q", "nack", nil},
		"requeue": {func(d amqp.Delivery) error { return d.Reject(true) }, "reject q", "requeue", nil},
		"refused": {func(d amqp.Delivery) error { return d.Ack(false) }, "ack q", "ack", amqp.ErrClosed},
	} {
		t.Run(name, func(t *testing.T) {
			rec := newRecorder(t)
			headers, created := message(t)
			var later amqp.Delivery
			if err := amqptrace.NewConsumer("q", rec.options()...).Handler(func(_ context.Context, d amqp.Delivery) error {
				later = d
				return nil
			})(context.Background(), amqp.Delivery{
				DeliveryTag: 3, Headers: headers, Exchange: "x", RoutingKey: "k", MessageId: "m1",
				Acknowledger: &acknowledger{err: tt.err},
			}); err != nil {
				t.Fatal(err)
			}
			process := rec.only(t)
			if got := attributes(process)["mqtrace.settlement"]; got != nil {
				t.Errorf("settlement of the process span %v", got)
			}
			if err := tt.settle(later); !errors.Is(err, tt.err) {
				t.Errorf("error %v, want the host's", err)
			}
			if len(rec.Ended()) != 2 {
				t.Fatalf("%d spans, want a second one", len(rec.Ended()))
			}
			span := rec.Ended()[1]
			if span.Name() != tt.name || span.SpanKind() != trace.SpanKindClient {
				t.Errorf("span %q of kind %v", span.Name(), span.SpanKind())
			}
			wantLinks(t, span, created, process.SpanContext())
			wantParent(t, span, process.SpanContext())
			want := map[string]any{
				"messaging.system": "rabbitmq", "messaging.operation.type": "settle",
				"messaging.operation.name":   attributes(span)["messaging.operation.name"],
				"messaging.destination.name": "x:k:q", "messaging.destination.template": "q", "messaging.rabbitmq.message.delivery_tag": int64(3),
				"messaging.rabbitmq.destination.routing_key": "k", "messaging.message.id": "m1",
				"mqtrace.settlement": tt.outcome,
			}
			if tt.outcome == "nack" {
				want["error.type"] = "rejected"
			}
			if tt.err != nil {
				want["error.type"] = "CHANNEL_ERROR"
			}
			wantAttributes(t, span, want)
		})
	}
}

// Settling races with the end of the handler: whichever is first, the settlement is
// recorded once, without a data race.
func TestSettlementRacesWithTheEnd(t *testing.T) {
	rec := newRecorder(t)
	var wg sync.WaitGroup
	handle := amqptrace.NewConsumer("q", rec.options()...).Handler(func(_ context.Context, d amqp.Delivery) error {
		wg.Go(func() { _ = d.Ack(false) })
		return nil
	})
	const n = 500
	for i := range n {
		if err := handle(context.Background(), amqp.Delivery{DeliveryTag: uint64(i + 1), Acknowledger: &acknowledger{}}); err != nil {
			t.Fatal(err)
		}
	}
	wg.Wait()
	count := 0
	for _, s := range rec.Ended() {
		if attributes(s)["mqtrace.settlement"] == "ack" {
			count++
		}
	}
	if count != n {
		t.Errorf("%d of %d settlements were recorded", count, n)
	}
}

// A settlement that panics in the host ends its span.
func TestSettlementPanicOfTheHost(t *testing.T) {
	rec := newRecorder(t)
	defer func() {
		if r := recover(); r != "host" {
			t.Errorf("recovered %v", r)
		}
		if len(rec.Started()) != 2 || len(rec.Ended()) != 2 {
			t.Fatalf("%d spans started and %d ended", len(rec.Started()), len(rec.Ended()))
		}
		if got := attributes(rec.Ended()[0])["error.type"]; got != "panic" {
			t.Errorf("error.type %v", got)
		}
	}()
	_ = amqptrace.NewConsumer("q", rec.options(amqptrace.WithSettleSpans())...).Handler(
		func(_ context.Context, d amqp.Delivery) error { return d.Ack(false) })(
		context.Background(), amqp.Delivery{Acknowledger: panickingAcknowledger{}})
}

type panickingAcknowledger struct{ amqp.Acknowledger }

func (panickingAcknowledger) Ack(uint64, bool) error { panic("host") }
