package troubleshooting_test

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/propagation"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/mqtrace/mqtrace/amqptrace"
	"github.com/mqtrace/mqtrace/amqptrace/amqptest"
)

// A scene is a broker with the queue billing and a recorder of spans.
type scene struct {
	t      *testing.T
	broker *amqptest.Broker
	spans  *amqptest.Recorder
	ch     *amqp.Channel
}

func newScene(t *testing.T) scene {
	t.Helper()
	b := amqptest.Start(t)
	b.DeclareQueue("billing", nil)
	return scene{t, b, amqptest.Record(t), b.Channel()}
}

// publish sends a message to billing with the recorder's options and others, which take
// precedence.
func (s scene) publish(ctx context.Context, id string, opts ...amqptrace.Option) {
	s.t.Helper()
	pub := amqptrace.NewPublisher(s.ch, append(s.spans.Options(), opts...)...)
	if err := pub.PublishWithContext(ctx, "", "billing", false, false, amqp.Publishing{MessageId: id}); err != nil {
		s.t.Fatal(err)
	}
}

// consume takes n messages from billing.
func (s scene) consume(ctx context.Context, n int, handle func(context.Context, amqp.Delivery) error, opts ...amqptrace.Option) {
	s.t.Helper()
	s.broker.WaitMessages("billing", n)
	traced := amqptrace.NewConsumer("billing", append(s.spans.Options(), opts...)...).Handler(handle)
	for range n {
		d, ok, err := s.ch.Get("billing", false)
		if err != nil || !ok {
			s.t.Fatalf("no message: %v", err)
		}
		if err := traced(ctx, d); err != nil {
			s.t.Fatal(err)
		}
	}
}

func ack(_ context.Context, d amqp.Delivery) error { return d.Ack(false) }

// reported collects the errors given to OpenTelemetry's error handler.
func reported(t *testing.T) *[]string {
	t.Helper()
	var all []string
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { all = append(all, err.Error()) }))
	t.Cleanup(func() { otel.SetErrorHandler(otel.ErrorHandlerFunc(func(error) {})) })
	return &all
}

func contains(lines []string, text string) bool {
	return slices.ContainsFunc(lines, func(line string) bool { return strings.Contains(line, text) })
}

func TestConsumerWithoutAPropagator(t *testing.T) {
	errs := reported(t)
	s := newScene(t)
	none := amqptrace.WithPropagators(propagation.NewCompositeTextMapPropagator())
	s.publish(t.Context(), "m", none)
	s.consume(t.Context(), 1, ack)
	if held := amqptest.Describe(s.spans.Spans()); !contains(held, "(apart)") {
		t.Errorf("the spans are %q", held)
	}
	if !contains(*errs, "messages are sent without trace context") {
		t.Errorf("reported: %q", *errs)
	}
}

func TestOnlyTheConsumerHasNoPropagator(t *testing.T) {
	errs := reported(t)
	s := newScene(t)
	s.publish(t.Context(), "m")
	s.consume(t.Context(), 1, func(ctx context.Context, d amqp.Delivery) error {
		if d.Headers["traceparent"] == nil {
			t.Error("the message has no traceparent")
		}
		return ack(ctx, d)
	}, amqptrace.WithPropagators(propagation.NewCompositeTextMapPropagator()))
	if held := amqptest.Describe(s.spans.Spans()); !contains(held, "(apart)") {
		t.Errorf("the spans are %q", held)
	}
	if len(*errs) != 0 {
		t.Errorf("reported: %q", *errs)
	}
}

func TestPublishedPastTheWrapper(t *testing.T) {
	s := newScene(t)
	if err := s.ch.PublishWithContext(t.Context(), "", "billing", false, false, amqp.Publishing{MessageId: "m"}); err != nil {
		t.Fatal(err)
	}
	s.consume(t.Context(), 1, ack)
	spans := s.spans.Spans()
	if len(spans) != 1 || spans[0].Parent().IsValid() || len(spans[0].Links()) != 0 {
		t.Errorf("the spans are %q", amqptest.Describe(spans))
	}
}

func TestProducerIsNotSampled(t *testing.T) {
	s := newScene(t)
	never := sdktrace.NewTracerProvider(sdktrace.WithSampler(sdktrace.NeverSample()))
	s.publish(t.Context(), "m", amqptrace.WithTracerProvider(never))
	s.consume(t.Context(), 1, ack)
	spans := s.spans.Spans()
	if len(spans) != 1 || !spans[0].Parent().IsValid() {
		t.Errorf("the spans are %q", amqptest.Describe(spans))
	}
}

func TestSpanOpenedAtStartUp(t *testing.T) {
	errs := reported(t)
	s := newScene(t)
	s.publish(t.Context(), "m1")
	s.publish(t.Context(), "m2")
	ctx, main := s.spans.Start(t.Context(), "main")
	s.consume(ctx, 2, ack)
	main.End()
	for _, span := range s.spans.Spans() {
		if span.Name() == "process billing" && span.SpanContext().TraceID() != main.SpanContext().TraceID() {
			t.Errorf("%s is in a trace of its own", span)
		}
	}
	if !contains(*errs, "is the parent of messages of different traces") {
		t.Errorf("reported: %q", *errs)
	}
}

func TestBaggageIsLost(t *testing.T) {
	member, err := baggage.NewMember("tenant.id", "acme")
	if err != nil {
		t.Fatal(err)
	}
	bag, err := baggage.New(member)
	if err != nil {
		t.Fatal(err)
	}
	for name, options := range map[string][]amqptrace.Option{
		"no Baggage propagator":  {amqptrace.WithPropagators(propagation.TraceContext{})},
		"key is not let through": {amqptrace.WithBaggageKeys("region")},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t)
			s.publish(baggage.ContextWithBaggage(t.Context(), bag), "m", options...)
			s.consume(t.Context(), 1, func(ctx context.Context, d amqp.Delivery) error {
				if got := baggage.FromContext(ctx); got.Len() != 0 {
					t.Errorf("the baggage is %v", got)
				}
				return d.Ack(false)
			})
		})
	}
}

func TestBaggageIsOnNoSpan(t *testing.T) {
	member, err := baggage.NewMember("tenant.id", "acme")
	if err != nil {
		t.Fatal(err)
	}
	bag, err := baggage.New(member)
	if err != nil {
		t.Fatal(err)
	}
	s := newScene(t)
	s.publish(baggage.ContextWithBaggage(t.Context(), bag), "m")
	s.consume(t.Context(), 1, func(ctx context.Context, d amqp.Delivery) error {
		if got := baggage.FromContext(ctx).Member("tenant.id").Value(); got != "acme" {
			t.Errorf("tenant.id is %q", got)
		}
		return d.Ack(false)
	})
	for _, span := range s.spans.Spans() {
		if got := span.Attr("tenant.id"); got != nil {
			t.Errorf("%s has tenant.id %v", span, got)
		}
	}
}

func TestQueueTimeIsMissing(t *testing.T) {
	s := newScene(t)
	s.publish(t.Context(), "m") // without WithQueueTime
	s.consume(t.Context(), 1, ack, amqptrace.WithQueueTime())
	if got := s.spans.Spans()[1].Attr("mqtrace.queue_time"); got != nil {
		t.Errorf("queue time is %v", got)
	}
}

func TestQueueTimeIsZero(t *testing.T) {
	s := newScene(t)
	ahead := strconv.FormatInt(time.Now().Add(time.Hour).UnixMicro(), 10)
	msg := amqp.Publishing{Headers: amqp.Table{"mqtrace-sent-at": ahead}}
	if err := s.ch.PublishWithContext(t.Context(), "", "billing", false, false, msg); err != nil {
		t.Fatal(err)
	}
	s.consume(t.Context(), 1, ack, amqptrace.WithQueueTime())
	if got := s.spans.Spans()[0].Attr("mqtrace.queue_time"); got != 0.0 {
		t.Errorf("queue time is %v", got)
	}
}

func TestSettledAfterTheHandler(t *testing.T) {
	s := newScene(t)
	s.publish(t.Context(), "m")
	var later amqp.Delivery
	s.consume(t.Context(), 1, func(_ context.Context, d amqp.Delivery) error {
		later = d
		return nil
	})
	if got := s.spans.Spans()[1].Attr("mqtrace.settlement"); got != nil {
		t.Errorf("settlement is %v", got)
	}
	if err := later.Ack(false); err != nil {
		t.Fatal(err)
	}
	if spans := s.spans.Spans(); len(spans) != 3 || spans[2].Name() != "ack billing" {
		t.Errorf("the spans are %q", amqptest.Describe(spans))
	}
}

func TestSettledOnTheChannel(t *testing.T) {
	s := newScene(t)
	s.publish(t.Context(), "m")
	s.consume(t.Context(), 1, func(_ context.Context, d amqp.Delivery) error {
		return s.ch.Ack(d.DeliveryTag, false)
	})
	if got := s.spans.Spans()[1].Attr("mqtrace.settlement"); got != nil {
		t.Errorf("settlement is %v", got)
	}
}

func TestStartedAndNotEnded(t *testing.T) {
	s := newScene(t)
	pub := amqptrace.NewPublisher(nil, s.spans.Options()...)
	_, sent := pub.StartPublish(t.Context(), "", "billing", &amqp.Publishing{})
	_ = sent.Result(nil) // records the outcome; End is missing
	if spans := s.spans.Spans(); len(spans) != 0 {
		t.Errorf("the spans are %q", amqptest.Describe(spans))
	}
	sent.End()
	if spans := s.spans.Spans(); len(spans) != 1 {
		t.Errorf("the spans are %q", amqptest.Describe(spans))
	}
}

func TestConfirmationNeverWaitedFor(t *testing.T) {
	s := newScene(t)
	pub := amqptrace.NewPublisher(s.ch, s.spans.Options()...)
	conf, err := pub.PublishDeferred(t.Context(), "", "billing", false, false, amqp.Publishing{})
	if err != nil {
		t.Fatal(err)
	}
	s.broker.WaitMessages("billing", 1)
	if spans := s.spans.Spans(); len(spans) != 0 {
		t.Errorf("the spans are %q", amqptest.Describe(spans))
	}
	if err := conf.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	if spans := s.spans.Spans(); len(spans) != 1 {
		t.Errorf("the spans are %q", amqptest.Describe(spans))
	}
}

func TestLoopWithoutFail(t *testing.T) {
	for name, fail := range map[string]bool{"without Fail": false, "with Fail": true} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t)
			s.publish(t.Context(), "m")
			deliveries, err := s.ch.ConsumeWithContext(t.Context(), "billing", "", false, false, false, false, nil)
			if err != nil {
				t.Fatal(err)
			}
			for ctx, d := range amqptrace.NewConsumer("billing", s.spans.Options()...).Deliveries(t.Context(), deliveries) {
				if fail {
					amqptrace.Fail(ctx, errors.New("the bank does not answer"))
				}
				_ = d.Ack(false)
				break
			}
			if got := s.spans.Spans()[1].ErrorType() != ""; got != fail {
				t.Errorf("the span is %s", s.spans.Spans()[1])
			}
		})
	}
}
