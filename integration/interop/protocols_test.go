//go:build interop

package interop_test

import (
	"context"
	"maps"
	"strings"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"
	"go.opentelemetry.io/otel/trace"

	"github.com/mqtrace/mqtrace/carrier"
	"github.com/mqtrace/mqtrace/integration/nodes"
)

const (
	mqttOffset  = 30
	stompOffset = 31
)

// TestProtocols shares one RabbitMQ node with all the plugins.
func TestProtocols(t *testing.T) {
	n := nodes.New(t, "rabbitmq_stomp", "rabbitmq_mqtt", "rabbitmq_amqp1_0", "rabbitmq_shovel")
	mqtt, stomp := n.Addr(mqttOffset), n.Addr(stompOffset)
	n.Configure("solo", "mqtt.listeners.tcp.1 = "+mqtt, "mqtt.allow_anonymous = false", "stomp.listeners.tcp.1 = "+stomp)
	n.Run("start", "solo", port(n.Addr(0)))
	t.Logf("RabbitMQ %s", n.Run("ctl", "solo", "-q", "version"))
	s := newScene(t, n.URL(0))
	t.Run("Pika", func(t *testing.T) { s.on(t).pika() })
	t.Run("STOMP", func(t *testing.T) { s.on(t).stomp(port(stomp)) })
	t.Run("AMQP 1.0", func(t *testing.T) { s.on(t).amqp10(port(n.Addr(0))) })
	t.Run("MQTT", func(t *testing.T) { s.on(t).mqtt(port(mqtt)) })
	t.Run("MQTT 5", func(t *testing.T) { s.on(t).mqtt5(port(mqtt)) })
	t.Run("Hops", func(t *testing.T) { s.on(t).hops() })
	t.Run("Shovels", func(t *testing.T) { s.on(t).shovels(n) })
}

// on returns the scene for a subtest.
func (s *scene) on(t *testing.T) *scene {
	t.Helper()
	part := *s
	part.t = t
	return &part
}

// came judges what a client without instrumentation has read of a message from publish.
func came(s *scene, client string, published trace.SpanContext, headers map[string]field) {
	s.t.Helper()
	want := carrier.Headers(nil).Inject(
		trace.ContextWithRemoteSpanContext(propagator.Extract(context.Background(), sent), published), propagator)
	kind := headers["traceparent"].Type
	s.saw(traces, client, "from Go", lostUnless(headers["traceparent"].Value == want["traceparent"]),
		lostUnless(headers["tracestate"].Value == want["tracestate"]),
		lostUnless(maps.Equal(tags(headers["baggage"].Value), bag)), dash(kind))
}

// arrived judges what amqptrace has read of what a client wrote by hand.
func arrived(s *scene, client string, got received) {
	s.t.Helper()
	parent := spanID(s.t, sentSpan)
	traceparent, tracestate, tags, kind := got.survived(parent)
	s.saw(traces, client, "to Go", traceparent, tracestate, tags, kind)
}

func (s *scene) pika() {
	const client = "Python pika, by hand"
	p := start(s.t, s.url, "/usr/bin/python3", "pika_client.py")
	queue := s.queue(nil)
	published := s.publish("", queue, nil)
	came(s, client, published.SpanContext, p.do("consume", args{"queue": queue}).Headers)
	p.do("publish", args{"queue": queue, "headers": sent})
	arrived(s, client+", `str`", s.consume(queue, ack))
	p.do("publish", args{"queue": queue, "headers": sent, "bytes": true})
	arrived(s, client+", `bytes`", s.consume(queue, ack))
}

func (s *scene) stomp(port string) {
	const client = "STOMP, Node stompit, by hand"
	p := start(s.t, s.url, "node", "stomp.js", port)
	queue := s.queue(nil)
	published := s.publish("", queue, nil)
	came(s, client, published.SpanContext, p.do("consume", args{"queue": queue}).Headers)
	p.do("publish", args{"queue": queue, "headers": sent, "body": "order"})
	arrived(s, client, s.consume(queue, ack))
}

func (s *scene) amqp10(port string) {
	const client = "AMQP 1.0, Node rhea, "
	p := start(s.t, s.url, "node", "rhea.js", port)
	queue := s.queue(nil)
	address := s.address(queue)
	published := s.publish("", queue, nil)
	got := p.do("consume", args{"address": address})
	came(s, client+"application properties", published.SpanContext, got.Headers)
	came(s, client+"message annotations", published.SpanContext, got.Annotations)
	p.do("publish", args{"address": address, "headers": sent, "body": "order"})
	arrived(s, client+"application properties", s.consume(queue, ack))
	annotations := map[string]string{
		"x-opt-traceparent": sent["traceparent"], "x-opt-tracestate": sent["tracestate"], "x-opt-baggage": sent["baggage"],
	}
	p.do("publish", args{"address": address, "body": "order", "annotations": annotations})
	arrived(s, client+"message annotations", s.consume(queue, ack))

	// From AMQP 1.0 to AMQP 1.0 everything survives. Before 4.0, RabbitMQ keeps the message
	// encoded.
	p.do("publish", args{"address": address, "headers": sent, "annotations": annotations, "body": "order"})
	d := s.get(queue)
	for _, name := range []string{"x-amqp-1.0-app-properties", "x-amqp-1.0-message-annotations"} {
		if _, ok := d.Headers[name].(string); ok != (s.release < "4.0") {
			s.t.Errorf("%s in %v: %v", name, d.Headers, ok)
		}
	}
	if err := d.Nack(false, true); err != nil {
		s.t.Fatal(err)
	}
	got = p.do("consume", args{"address": address})
	for name, want := range sent {
		if got.Headers[name].Value != want || got.Annotations["x-opt-"+name].Value != want {
			s.t.Errorf("%s from AMQP 1.0 to AMQP 1.0: %v, %v", name, got.Headers, got.Annotations)
		}
	}
}

// address returns a queue's address in AMQP 1.0
// (https://www.rabbitmq.com/docs/amqp#addresses).
func (s *scene) address(queue string) string {
	if s.release < "4.0" {
		return "/amq/queue/" + queue
	}
	return "/queues/" + queue // percent-encoded, which these names need not be
}

// MQTT before version 5 has no headers; a string in the message's body is the only way.
func (s *scene) mqtt(port string) {
	const client, inBody = "MQTT 3.1.1, Node mqtt", "MQTT 3.1.1, Node mqtt, `InjectText` in the body"
	p := start(s.t, s.url, "node", "mqtt.js", port, "4")
	topic, queue := "mqtrace.interop", s.queue(nil)
	if err := s.ch.QueueBind(queue, topic+".up", "amq.topic", false, nil); err != nil {
		s.t.Fatal(err)
	}
	p.do("subscribe", args{"topic": "mqtrace/interop/down"})
	published := s.publish("amq.topic", topic+".down", nil)
	came(s, client, published.SpanContext, p.do("consume", nil).Headers)
	p.do("publish", args{"topic": "mqtrace/interop/up", "body": "order"})
	arrived(s, client, s.consume(queue, ack))

	text := carrier.InjectText(propagator.Extract(context.Background(), sent), propagator)
	p.do("subscribe", args{"topic": "mqtrace/interop/down"})
	if err := s.ch.PublishWithContext(s.t.Context(), "amq.topic", topic+".down", false, false, amqp.Publishing{Body: []byte(text)}); err != nil {
		s.t.Fatal(err)
	}
	body := p.do("consume", nil).Body
	s.marshalled(inBody, "from Go", body)
	p.do("publish", args{"topic": "mqtrace/interop/up", "body": body})
	s.marshalled(inBody, "to Go", s.consume(queue, ack).body)
}

// RabbitMQ refuses MQTT 5 before 3.13.
func (s *scene) mqtt5(port string) {
	const client = "MQTT 5, Node mqtt, user properties"
	p := start(s.t, s.url, "node", "mqtt.js", port, "5")
	if got := p.try("subscribe", args{"topic": "mqtrace/interop5/down"}); got.Error != "" {
		if !strings.Contains(got.Error, "Couldn't connect to server") {
			s.t.Error(got.Error)
		}
		for _, direction := range []string{"from Go", "to Go"} {
			s.saw(traces, client, direction, "refused", "–", "–", "–")
		}
		return
	}
	queue := s.queue(nil)
	if err := s.ch.QueueBind(queue, "mqtrace.interop5.up", "amq.topic", false, nil); err != nil {
		s.t.Fatal(err)
	}
	published := s.publish("amq.topic", "mqtrace.interop5.down", nil)
	came(s, client, published.SpanContext, p.do("consume", nil).Headers)
	p.do("publish", args{"topic": "mqtrace/interop5/up", "headers": sent, "body": "order"})
	arrived(s, client, s.consume(queue, ack))
}

func (s *scene) marshalled(client, direction, body string) {
	s.t.Helper()
	ctx := carrier.ExtractText(context.Background(), propagator, body)
	again := carrier.Headers(nil).Inject(ctx, propagator)
	s.saw(traces, client, direction, lostUnless(again["traceparent"] == sent["traceparent"]),
		lostUnless(again["tracestate"] == sent["tracestate"]), lostUnless(maps.Equal(tags(again["baggage"]), bag)), "–")
}
