package tap_test

import (
	"fmt"
	"reflect"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/mqtrace/mqtrace/cmd/mqtrace/internal/tap"
)

// span checks the span of that name and parent, and returns its attributes except for those
// that all spans share.
func (s *scene) span(name string, parent int) map[string]any {
	s.t.Helper()
	for _, span := range s.Ended() {
		if span.Name() != name || span.Parent().SpanID().String() != fmt.Sprintf("%016x", parent) {
			continue
		}
		if span.SpanKind() != trace.SpanKindInternal || !span.Parent().IsRemote() || span.SpanContext().TraceState().String() != "v=1" ||
			span.SpanContext().TraceID().String() != "0af7651916cd43dd8448eb211c80319c" || !span.StartTime().Equal(span.EndTime()) {
			s.t.Errorf("span %s: kind %v, context %+v, parent %+v", name, span.SpanKind(), span.SpanContext(), span.Parent())
		}
		if span.InstrumentationScope().Name != tap.ScopeName || span.InstrumentationScope().SchemaURL == "" {
			s.t.Errorf("scope %+v", span.InstrumentationScope())
		}
		return s.own(span)
	}
	s.t.Errorf("no span %q below %d", name, parent)
	return nil
}

func (s *scene) own(span sdktrace.ReadOnlySpan) map[string]any {
	s.t.Helper()
	attrs := map[string]any{}
	for _, kv := range span.Attributes() {
		attrs[string(kv.Key)] = kv.Value.AsInterface()
	}
	for key, want := range map[string]any{
		"messaging.system": "rabbitmq", "server.address": "127.0.0.1", "server.port": int64(5672), "client.address": "127.0.0.1",
		"messaging.message.id": "m1", "messaging.message.conversation_id": "c1",
	} {
		if attrs[key] != want {
			s.t.Errorf("span %s: %s is %v, want %v", span.Name(), key, attrs[key], want)
		}
		delete(attrs, key)
	}
	for _, key := range []string{"client.port", "mqtrace.broker.node"} {
		if attrs[key] == nil {
			s.t.Errorf("span %s has no %s", span.Name(), key)
		}
		delete(attrs, key)
	}
	if failed := attrs["error.type"] != nil; failed != (span.Status().Code == codes.Error) {
		s.t.Errorf("status %v", span.Status())
	}
	return attrs
}

func (s *scene) want(got, want map[string]any) {
	s.t.Helper()
	if !reflect.DeepEqual(got, want) {
		s.t.Errorf("got  %v\nwant %v", got, want)
	}
}

func TestSpans(t *testing.T) {
	onFirehose(t, tap.Config{}, func(t *testing.T, s *scene) {
		s.turnOn()
		s.queue("dead", nil)
		s.queue("billing", amqp.Table{"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "dead"})
		generated := s.queue("", nil)
		ok(t, s.ch.ExchangeDeclare("orders", "topic", false, true, false, false, nil))
		ok(t, s.ch.QueueBind("billing", "order.*", "orders", false, nil))
		ok(t, s.ch.QueueBind(generated, "order.*", "orders", false, nil))

		s.publish("orders", "order.created", sampled(1))
		s.publish("orders", "other", sampled(2))
		s.publish("", generated, sampled(3))
		ok(t, s.get("billing").Reject(true))
		ok(t, s.get("billing").Reject(false))
		ok(t, s.get("dead").Ack(false))
		ok(t, s.get(generated).Ack(false))
		stats := s.run(7)
		// From 4.3 on, a dead-lettered message keeps the mark.
		redelivered := map[bool]uint64{true: 2, false: 1}[s.from43]
		if stats.Published != 3 || stats.Delivered != 4 || stats.Unroutable != 1 || stats.Redelivered != redelivered || stats.Spans != 7 {
			t.Errorf("stats %v", stats)
		}

		routed := s.span("route orders", 1)
		queues := map[string]bool{}
		for _, q := range routed["mqtrace.routing.queues"].([]string) {
			queues[q] = true
		}
		if len(queues) != 2 || !queues["billing"] || !queues[generated] {
			t.Errorf("routed to %v", queues)
		}
		delete(routed, "mqtrace.routing.queues")
		s.want(routed, map[string]any{
			"messaging.operation.name": "route", "messaging.destination.name": "orders:order.created",
			"messaging.rabbitmq.destination.routing_key": "order.created", "mqtrace.routing.queue_count": int64(2),
		})
		s.want(s.span("route orders", 2), map[string]any{
			"messaging.operation.name": "route", "messaging.destination.name": "orders:other",
			"messaging.rabbitmq.destination.routing_key": "other", "mqtrace.routing.queue_count": int64(0),
			"mqtrace.routing.queues": []string{}, "error.type": "unroutable",
		})
		s.want(s.span("route amq.default", 3), map[string]any{
			"messaging.operation.name": "route", "messaging.destination.name": generated,
			"messaging.rabbitmq.destination.routing_key": generated, "mqtrace.routing.queue_count": int64(1),
			"mqtrace.routing.queues": []string{generated},
		})
		s.want(s.span("deliver amq.gen-*", 1), map[string]any{
			"messaging.operation.name": "deliver", "messaging.destination.name": "orders:order.created:" + generated,
			"messaging.rabbitmq.destination.routing_key": "order.created", "mqtrace.redelivered": false, "mqtrace.attempt": int64(1),
		})
		s.want(s.span("deliver dead", 1), map[string]any{
			"messaging.operation.name": "deliver", "messaging.destination.name": "dead",
			"messaging.rabbitmq.destination.routing_key": "dead", "mqtrace.redelivered": s.from43, "mqtrace.attempt": int64(1),
			"mqtrace.dead_letter.count": int64(1), "mqtrace.dead_letter.queues": []string{"billing"}, "mqtrace.dead_letter.reasons": []string{"rejected"},
		})
		attempts := map[any]any{}
		for _, span := range s.Ended() {
			if span.Name() == "deliver billing" {
				attrs := s.own(span)
				attempts[attrs["mqtrace.attempt"]] = attrs["mqtrace.redelivered"]
			}
		}
		if !reflect.DeepEqual(attempts, map[any]any{int64(1): false, int64(2): true}) {
			t.Errorf("attempts %v", attempts)
		}
	})
}

func TestUntraced(t *testing.T) {
	onFirehose(t, tap.Config{}, func(t *testing.T, s *scene) {
		s.turnOn()
		s.publish("", "none", nil)
		s.publish("", "none", amqp.Table{"traceparent": "nonsense"})
		s.publish("", "none", amqp.Table{"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"})
		s.publish("", "none", amqp.Table{"traceparent": []byte("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")})
		stats := s.run(4)
		if stats.Untraced != 2 || stats.Unsampled != 1 || stats.Spans != 1 || len(s.Ended()) != 1 {
			t.Errorf("stats %v, %d spans", stats, len(s.Ended()))
		}
	})
}

func TestRoots(t *testing.T) {
	onFirehose(t, tap.Config{Roots: true}, func(t *testing.T, s *scene) {
		s.turnOn()
		s.publish("", "none", nil)
		if stats := s.run(1); stats.Untraced != 1 || stats.Spans != 1 {
			t.Errorf("stats %v", stats)
		}
		if spans := s.Ended(); len(spans) != 1 || spans[0].Parent().IsValid() || !spans[0].SpanContext().IsSampled() {
			t.Errorf("spans %v", spans)
		}
	})
}

// A direct reply goes to no queue and is not lost.
func TestDirectReply(t *testing.T) {
	onFirehose(t, tap.Config{}, func(t *testing.T, s *scene) {
		s.turnOn()
		q := s.queue("", nil)
		replies, err := s.ch.Consume("amq.rabbitmq.reply-to", "", true, false, false, false, nil)
		ok(t, err)
		ok(t, s.ch.PublishWithContext(t.Context(), "", q, false, false, amqp.Publishing{ReplyTo: "amq.rabbitmq.reply-to"}))
		s.publish("", s.get(q).ReplyTo, sampled(1))
		<-replies
		// From 4.3 on, the delivery of a direct reply is recorded too.
		deliveries := map[bool]uint64{true: 1}[s.from43]
		if stats := s.run(3 + deliveries); stats.Unroutable != 0 || stats.Spans != 1+deliveries {
			t.Errorf("stats %v", stats)
		}
	})
}
