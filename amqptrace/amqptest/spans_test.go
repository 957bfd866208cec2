package amqptest_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/propagation"

	"github.com/mqtrace/mqtrace/amqptrace"
	"github.com/mqtrace/mqtrace/amqptrace/amqptest"
)

// pass sends a message through a queue.
func pass(t *testing.T, pub *amqptrace.Publisher, cons *amqptrace.Consumer, ctx context.Context, settle func(amqp.Delivery) error) {
	t.Helper()
	msg := amqp.Publishing{MessageId: "m"}
	ctx, sent := pub.StartPublish(ctx, "x", "k", &msg)
	ok(t, sent.Confirmed(nil))
	sent.End()
	_ = cons.Handler(func(_ context.Context, d amqp.Delivery) error { return settle(d) })(
		context.Background(), amqp.Delivery{Acknowledger: nobody{}, Headers: msg.Headers, MessageId: "m"})
	_ = ctx
}

type nobody struct{}

func (nobody) Ack(uint64, bool) error        { return nil }
func (nobody) Nack(uint64, bool, bool) error { return nil }
func (nobody) Reject(uint64, bool) error     { return nil }

func ack(d amqp.Delivery) error { return d.Ack(false) }

func TestWantMessage(t *testing.T) {
	for name, c := range map[string]struct {
		settle func(amqp.Delivery) error
		opts   []amqptrace.Option
		want   string
	}{
		"ack":       {ack, nil, "process q ack"},
		"nack":      {func(d amqp.Delivery) error { return d.Nack(false, false) }, nil, "process q nack error=rejected"},
		"requeue":   {func(d amqp.Delivery) error { return d.Reject(true) }, nil, "process q requeue"},
		"error":     {func(amqp.Delivery) error { return context.Canceled }, nil, "process q error=context.Canceled"},
		"new trace": {ack, []amqptrace.Option{amqptrace.WithRelation(amqptrace.NewTrace)}, "process q ack (linked)"},
	} {
		t.Run(name, func(t *testing.T) {
			r := amqptest.Record(t)
			ctx, caller := r.Start(background, "request")
			pass(t, amqptrace.NewPublisher(nil, r.Options()...),
				amqptrace.NewConsumer("q", append(r.Options(), c.opts...)...), ctx, c.settle)
			r.WantMessage("m", "publish x acked", c.want)
			caller.End()
			trace := []string{"request", "publish x acked"}
			if !strings.Contains(c.want, "linked") {
				trace = append(trace, c.want)
			}
			r.WantTrace(ctx, trace...)
			if spans := r.Spans(); len(spans) != 3 || spans[1].Attr("messaging.message.id") != "m" || spans[0].Attr("none") != nil {
				t.Errorf("%d spans: %v", len(spans), spans)
			}
		})
	}
}

func TestWantMessageFails(t *testing.T) {
	o := &observer{T: t}
	r := amqptest.Record(o)
	pass(t, amqptrace.NewPublisher(nil, r.Options()...), amqptrace.NewConsumer("q", r.Options()...), background, ack)
	r.WantMessage("m", "publish x acked")
	want := []string{"the message m has the spans\n\tpublish x acked\n\tprocess q ack\nwant\n\tpublish x acked"}
	if !slices.Equal(o.failures, want) {
		t.Errorf("%q", o.failures)
	}
}

// The failure says if the program does not use the recorder.
func TestWantMessageWithoutSpans(t *testing.T) {
	amqptest.SetPatience(t, 0)
	o := &observer{T: t}
	amqptest.Record(o).WantMessage("m", "publish x acked")
	if len(o.failures) != 1 || !strings.Contains(o.failures[0], "SetGlobal") {
		t.Errorf("%q", o.failures)
	}
}

// A consumer that does not continue the trace fails the assertion.
func TestApart(t *testing.T) {
	r := amqptest.Record(t)
	pub := amqptrace.NewPublisher(nil, r.Options()...)
	cons := amqptrace.NewConsumer("q", amqptrace.WithTracerProvider(r.TracerProvider()),
		amqptrace.WithPropagators(propagation.NewCompositeTextMapPropagator()))
	pass(t, pub, cons, background, ack)
	r.WantMessage("m", "publish x acked", "process q ack (apart)")
}

func TestSetGlobal(t *testing.T) {
	before := otel.GetTracerProvider()
	t.Run("test", func(t *testing.T) {
		r := amqptest.Record(t)
		r.SetGlobal()
		pass(t, amqptrace.NewPublisher(nil), amqptrace.NewConsumer("q"), background, ack)
		r.WantMessage("m", "publish x acked", "process q ack")
	})
	if otel.GetTracerProvider() != before {
		t.Error("the provider stays")
	}
}
