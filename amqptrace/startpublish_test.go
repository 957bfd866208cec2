package amqptrace_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/mqtrace/mqtrace/amqptrace"
	"github.com/mqtrace/mqtrace/carrier"
)

// library stands for a library around amqp091-go, which returns its own errors.
func (s *scene) library(key string, mandatory bool) func(context.Context, amqp.Publishing) error {
	return func(ctx context.Context, msg amqp.Publishing) error {
		if err := s.ch.Confirm(false); err != nil {
			return err
		}
		c, err := s.ch.PublishWithDeferredConfirmWithContext(ctx, s.x, key, mandatory, false, msg)
		if err != nil {
			return err
		}
		if acked, err := c.WaitContext(ctx); err != nil {
			return err
		} else if !acked {
			return fmt.Errorf("library: %w", amqptrace.ErrNacked)
		}
		return nil
	}
}

// customType is the error type of a customError.
const customType = "github.com/mqtrace/mqtrace/amqptrace_test.customError"

func startedOutcomes() map[string]operation {
	published := "messaging.destination.name=X:k.1 messaging.rabbitmq.destination.routing_key=k.1 messaging.message.id=m1"
	points := []string{"client.operation.duration publish X", "client.sent.messages publish X"}
	processed := "messaging.destination.name=X:k.1:Q messaging.rabbitmq.destination.routing_key=k.1" +
		" messaging.message.id=m1 mqtrace.attempt=1"
	// A library's messages have no delivery tag, and settle themselves.
	process := func(s *scene, what func(p *amqptrace.Processing)) {
		s.put("m1", nil)
		raw := s.take(s.q)
		s.ok(raw.Ack(false))
		d := amqp.Delivery{Exchange: raw.Exchange, RoutingKey: raw.RoutingKey, Headers: raw.Headers, MessageId: raw.MessageId}
		ctx, p := s.consumer(s.q).StartProcess(context.Background(), &d)
		if !trace.SpanContextFromContext(ctx).IsValid() {
			s.Error("the context has no span")
		}
		what(p)
		p.End()
		p.End()
	}
	return map[string]operation{
		"StartPublish: sent": {
			func(s *scene) { s.ok(s.sent(s.library("k.1", false), (*amqptrace.Sent).Result)) },
			[]span{{"publish X", "producer", "caller", nil, published, false}}, points,
		},
		"StartPublish: confirmed": {
			func(s *scene) { s.ok(s.sent(s.library("k.1", false), (*amqptrace.Sent).Confirmed)) },
			[]span{{"publish X", "producer", "caller", nil, published + " mqtrace.publish.outcome=acked", false}}, points,
		},
		"StartPublish: nacked": {
			func(s *scene) {
				s.is(s.sent(func(context.Context, amqp.Publishing) error { return fmt.Errorf("library: %w", amqptrace.ErrNacked) },
					(*amqptrace.Sent).Confirmed), amqptrace.ErrNacked)
			},
			[]span{{"publish X", "producer", "caller", nil, published + " mqtrace.publish.outcome=nacked error.type=nacked", true}},
			[]string{"client.operation.duration publish X nacked", "client.sent.messages publish X nacked"},
		},
		"StartPublish: an error of the library's": {
			func(s *scene) {
				s.is(s.sent(func(context.Context, amqp.Publishing) error { return customError{} }, (*amqptrace.Sent).Confirmed), customError{})
			},
			[]span{{"publish X", "producer", "caller", nil, published + " mqtrace.publish.outcome=unknown error.type=" + customType, true}},
			[]string{"client.operation.duration publish X " + customType, "client.sent.messages publish X " + customType},
		},
		"StartPublish: no result": {
			func(s *scene) {
				msg := amqp.Publishing{MessageId: "m1"}
				_, sent := amqptrace.NewPublisher(nil, s.opts()...).StartPublish(s.ctx, s.x, "k.1", &msg)
				sent.End()
			},
			[]span{{"publish X", "producer", "caller", nil, published + " error.type=panic", true}},
			[]string{"client.operation.duration publish X panic", "client.sent.messages publish X panic"},
		},
		"StartProcess: ack": {
			func(s *scene) {
				process(s, func(p *amqptrace.Processing) { p.Settled(amqptrace.Ack); s.ok(p.Result(nil)) })
			},
			[]span{{"process Q", "consumer", "m1", []string{"m1"}, processed + " mqtrace.settlement=ack", false}},
			[]string{"process.duration process Q", "client.consumed.messages process Q", "mqtrace.messages.settled process Q ack"},
		},
		"StartProcess: nack, the first settlement counts": {
			func(s *scene) {
				process(s, func(p *amqptrace.Processing) {
					p.Settled(amqptrace.Nack)
					p.Settled(amqptrace.Ack)
					s.ok(p.Result(nil))
				})
			},
			[]span{{"process Q", "consumer", "m1", []string{"m1"}, processed + " mqtrace.settlement=nack error.type=rejected", true}},
			[]string{"process.duration process Q rejected", "client.consumed.messages process Q rejected", "mqtrace.messages.settled process Q nack"},
		},
		"StartProcess: requeue and an error": {
			func(s *scene) {
				process(s, func(p *amqptrace.Processing) {
					p.Settled(amqptrace.Requeue)
					s.is(p.Result(customError{}), customError{})
				})
			},
			[]span{{"process Q", "consumer", "m1", []string{"m1"}, processed + " mqtrace.settlement=requeue error.type=" + customType, true}},
			[]string{"process.duration process Q " + customType, "client.consumed.messages process Q " + customType, "mqtrace.messages.settled process Q requeue"},
		},
		"StartProcess: no result": {
			func(s *scene) { process(s, func(*amqptrace.Processing) {}) },
			[]span{{"process Q", "consumer", "m1", []string{"m1"}, processed + " error.type=panic", true}},
			[]string{"process.duration process Q panic", "client.consumed.messages process Q panic"},
		},
		"StartProcess: settled by the delivery": {
			func(s *scene) {
				s.put("m1", nil)
				d := s.take(s.q)
				d.MessageId = ""
				_, p := s.consumer(s.q).StartProcess(context.Background(), &d)
				defer p.End()
				s.ok(p.Result(d.Ack(false)))
			},
			[]span{{"process Q", "consumer", "m1", []string{"m1"}, "messaging.destination.name=X:k.1:Q messaging.rabbitmq.destination.routing_key=k.1" +
				" messaging.rabbitmq.message.delivery_tag=1 mqtrace.attempt=1 mqtrace.settlement=ack", false}},
			[]string{"process.duration process Q", "client.consumed.messages process Q", "mqtrace.messages.settled process Q ack"},
		},
	}
}

// sent publishes with StartPublish.
func (s *scene) sent(send func(context.Context, amqp.Publishing) error, result func(*amqptrace.Sent, error) error) error {
	msg := amqp.Publishing{MessageId: "m1", Headers: amqp.Table{"kept": "x"}}
	before := msg.Headers
	ctx, sent := amqptrace.NewPublisher(nil, s.opts()...).StartPublish(s.ctx, s.x, "k.1", &msg)
	defer sent.End()
	carried := trace.SpanContextFromContext(carrier.Table(msg.Headers).Extract(context.Background(), propagator))
	if carried.SpanID() != trace.SpanContextFromContext(ctx).SpanID() || msg.Headers["kept"] != "x" || len(before) != 1 {
		s.Errorf("the message carries %v", msg.Headers)
	}
	return result(sent, send(ctx, msg))
}

// Neither a filtered message nor nil causes a panic.
func TestStartedAndFiltered(t *testing.T) {
	rec := newRecorder(t)
	none := rec.options(amqptrace.WithFilter(func(amqptrace.Message) bool { return false }))
	failure := errors.New("failed")
	msg := amqp.Publishing{}
	_, sent := amqptrace.NewPublisher(nil, none...).StartPublish(noContext, "x", "k", &msg)
	d := amqp.Delivery{DeliveryTag: 1, Acknowledger: &acknowledger{}}
	_, p := amqptrace.NewConsumer("q", none...).StartProcess(noContext, &d)
	for _, sent := range []*amqptrace.Sent{sent, nil} {
		if sent.Result(failure) != failure || sent.Confirmed(nil) != nil {
			t.Error("the error is not the caller's")
		}
		sent.End()
	}
	for _, p := range []*amqptrace.Processing{p, nil} {
		p.Settled(amqptrace.Ack)
		if p.Result(failure) != failure {
			t.Error("the error is not the caller's")
		}
		p.End()
	}
	if len(rec.Started()) != 0 {
		t.Errorf("%d spans", len(rec.Started()))
	}
	_, sent = amqptrace.NewPublisher(nil, rec.options()...).StartPublish(context.Background(), "x", "k", nil)
	sent.End()
	_, p = amqptrace.NewConsumer("q", rec.options()...).StartProcess(context.Background(), nil)
	for s := range amqptrace.Settlement(99) {
		if !slices.Contains([]amqptrace.Settlement{amqptrace.Ack, amqptrace.Requeue, amqptrace.Nack, amqptrace.Reject}, s) {
			p.Settled(s)
		}
	}
	p.End()
	if got, ok := attributes(rec.Ended()[1])["mqtrace.settlement"]; len(rec.Ended()) != 2 || ok {
		t.Errorf("%d spans, settlement %v", len(rec.Ended()), got)
	}
}

// A settlement that comes after the end has a span of its own, and a handler that is called
// within a processing is part of it.
func TestProcessingEndsBeforeItIsSettled(t *testing.T) {
	rec := newRecorder(t)
	c := amqptrace.NewConsumer("q", rec.options()...)
	d := amqp.Delivery{DeliveryTag: 1, Acknowledger: &acknowledger{}}
	ctx, p := c.StartProcess(context.Background(), &d)
	_ = c.Handler(func(context.Context, amqp.Delivery) error { return errors.New("failed") })(ctx, d)
	inner, q := c.StartProcess(ctx, &d)
	if inner != ctx {
		t.Error("a second span")
	}
	_ = q.Result(nil)
	q.End()
	_ = p.Result(nil)
	p.End()
	p.Settled(amqptrace.Reject)
	spans := rec.Ended()
	if len(spans) != 2 || spans[0].Status().Code != codes.Error || attributes(spans[0])["mqtrace.settlement"] != nil ||
		spans[1].Name() != "reject q" || attributes(spans[1])["mqtrace.settlement"] != "reject" {
		t.Errorf("spans %v", spans)
	}
}

// A nil pointer in an interface is an error whose methods may panic.
func TestConfirmedErrorThatPanics(t *testing.T) {
	rec := newRecorder(t)
	_, sent := amqptrace.NewPublisher(nil, rec.options()...).StartPublish(t.Context(), "x", "k", nil)
	err := error((*unwrapping)(nil))
	if got := sent.Confirmed(err); got != err {
		t.Errorf("error %v", got)
	}
	sent.End()
	if got := attributes(rec.only(t))["mqtrace.publish.outcome"]; got != "unknown" {
		t.Errorf("outcome %v", got)
	}
	if got := amqptrace.NewPublisher(&channel{err: err}).PublishConfirmed(
		t.Context(), "x", "k", false, false, amqp.Publishing{}); got != err {
		t.Errorf("error %v", got)
	}
}
