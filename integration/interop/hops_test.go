//go:build interop

package interop_test

import (
	"encoding/json"
	"net"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/mqtrace/mqtrace/integration/nodes"
)

func port(addr string) string {
	_, p, _ := net.SplitHostPort(addr)
	return p
}

// passed judges a message of ours that came back to us on some route through RabbitMQ.
func (s *scene) passed(way string, got received, published [8]byte) {
	s.t.Helper()
	traceparent, tracestate, tags, kind := got.survived(published)
	s.saw(traces, way, "Go to Go", traceparent, tracestate, tags, kind)
}

func (s *scene) hops() {
	queue := s.queue(nil)
	published := s.publish("", queue, nil).SpanContext.SpanID()
	s.passed("classic queue", s.consume(queue, ack), published)

	queue = s.queue(amqp.Table{"x-queue-type": "quorum"})
	published = s.publish("", queue, nil).SpanContext.SpanID()
	first := s.consume(queue, func(d amqp.Delivery) error { return d.Nack(false, true) })
	again := s.consume(queue, ack)
	s.passed("quorum queue, first delivery", first, published)
	s.passed("quorum queue, requeued", again, published)
	if attempt := attributes(again.span.Attributes)["mqtrace.attempt"]; attempt != int64(2) {
		s.t.Errorf("attempt %v", attempt)
	}

	dead := s.queue(nil)
	queue = s.queue(amqp.Table{"x-dead-letter-exchange": "", "x-dead-letter-routing-key": dead, "x-message-ttl": int32(1)})
	published = s.publish("", queue, nil).SpanContext.SpanID()
	got := s.consume(dead, ack)
	s.passed("dead-lettered, expired", got, published)
	if reasons, ok := attributes(got.span.Attributes)["mqtrace.dead_letter.reasons"].([]string); !ok || reasons[0] != "expired" {
		s.t.Errorf("reasons %v", reasons)
	}

	s.stream()
}

// stream reads the same message twice, which only a stream allows.
func (s *scene) stream() {
	queue := s.queue(amqp.Table{"x-queue-type": "stream"})
	published := s.publish("", queue, nil).SpanContext.SpanID()
	for _, way := range []string{"stream queue", "stream queue, read again"} {
		ch, err := s.conn.Channel()
		if err != nil {
			s.t.Fatal(err)
		}
		if err := ch.Qos(10, 0, false); err != nil {
			s.t.Fatal(err)
		}
		ds, err := ch.Consume(queue, "", false, false, false, false, amqp.Table{"x-stream-offset": "first"})
		if err != nil {
			s.t.Fatal(err)
		}
		select {
		case d := <-ds:
			got := s.process(queue, d, ack)
			if _, ok := got.headers["x-stream-offset"].(int64); !ok {
				s.t.Errorf("headers %v are not a stream's", got.headers)
			}
			s.passed(way, got, published)
		case <-time.After(patience):
			s.t.Fatal("nothing came")
		}
		_ = ch.Close()
	}
}

// shovels move messages from queue to queue, in either protocol.
func (s *scene) shovels(n *nodes.Nodes) {
	for way, definition := range map[string]map[string]any{
		"shovel, AMQP 0-9-1":             {"src-protocol": "amqp091", "dest-protocol": "amqp091"},
		"shovel, AMQP 0-9-1 to AMQP 1.0": {"src-protocol": "amqp091", "dest-protocol": "amqp10"},
		"shovel, AMQP 1.0 to AMQP 0-9-1": {"src-protocol": "amqp10", "dest-protocol": "amqp091"},
	} {
		s.t.Run(way, func(t *testing.T) {
			s := s.on(t)
			from, to := s.queue(nil), s.queue(nil)
			uri := strings.TrimSuffix(n.URL(0), "/")
			for _, side := range []struct{ prefix, queue string }{{"src", from}, {"dest", to}} {
				definition[side.prefix+"-uri"] = uri
				definition[side.prefix+"-queue"] = side.queue
				if definition[side.prefix+"-protocol"] == "amqp10" {
					delete(definition, side.prefix+"-queue")
					definition[side.prefix+"-address"] = s.address(side.queue)
				}
			}
			text, err := json.Marshal(definition)
			if err != nil {
				t.Fatal(err)
			}
			n.Run("ctl", "solo", "-q", "set_parameter", "shovel", to, string(text))
			published := s.publish("", from, nil).SpanContext.SpanID()
			s.passed(way, s.consume(to, ack), published)
			n.Run("ctl", "solo", "-q", "clear_parameter", "shovel", to)
		})
	}
}
