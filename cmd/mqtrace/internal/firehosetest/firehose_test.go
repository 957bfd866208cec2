package firehosetest_test

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"go.uber.org/goleak"

	"github.com/mqtrace/mqtrace/cmd/mqtrace/internal/firehosetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m, goleak.Cleanup(firehosetest.Exit)) }

// The firehose of the in-process broker is RabbitMQ's. It is turned on for a virtual
// host, which the wire scripts of internal/amqpbroker cannot do.
func TestFirehose(t *testing.T) {
	firehosetest.Each(t, func(t *testing.T, s firehosetest.Server) {
		s.Trace(t, false)
		ch := dial(t, s.URL)
		q := must[amqp.Queue](t)(ch.QueueDeclare("", false, false, true, false, nil)).Name
		ok(t, ch.ExchangeDeclare("x", "topic", false, true, false, false, nil))
		ok(t, ch.QueueBind(q, "a.#", "x", false, nil))
		f := openFirehose(t, s)

		publish(t, ch, "x", "a.b", amqp.Publishing{Body: []byte("off")})
		ok(t, fetch(t, ch, q).Ack(false))
		s.Trace(t, true)
		publish(t, ch, "x", "a.b", amqp.Publishing{
			Body: []byte("on"), ContentType: "text/plain", ContentEncoding: "utf-8", DeliveryMode: 2, Priority: 3,
			CorrelationId: "c", ReplyTo: "r", Expiration: "60000", MessageId: "m",
			Timestamp: time.Unix(1700000000, 0), Type: "t", UserId: "guest", AppId: "a",
			Headers: amqp.Table{"n": int64(1), "s": "x", "BCC": []any{"secret"}, "CC": []any{"a.c"}},
		})
		props := amqp.Table{
			"content_type": "text/plain", "content_encoding": "utf-8", "delivery_mode": int32(2), "priority": int32(3),
			"correlation_id": "c", "reply_to": "r", "expiration": "60000", "message_id": "m",
			"timestamp": int32(1700000000), "type": "t", "user_id": "guest", "app_id": "a",
			"headers": amqp.Table{"n": int64(1), "s": "x", "CC": []any{"a.c"}},
		}
		keys := []any{"a.b", "a.c", "secret"}
		f.next("publish.x", "on", "x", keys, props, "routed_queues", []any{q})

		d := fetch(t, ch, q)
		f.next("deliver."+q, "on", "x", keys, props, "redelivered", int32(0))
		ok(t, d.Reject(true))
		deliveries := must[<-chan amqp.Delivery](t)(ch.Consume(q, "", true, false, false, false, nil))
		receive(t, deliveries)
		f.next("deliver."+q, "on", "x", keys, props, "redelivered", int32(1))

		publish(t, ch, "x", "nowhere", amqp.Publishing{})
		f.next("publish.x", "", "x", []any{"nowhere"}, amqp.Table{}, "routed_queues", []any(nil))
		publish(t, ch, "", "nowhere", amqp.Publishing{})
		f.next("publish.", "", "", []any{"nowhere"}, amqp.Table{}, "routed_queues", []any{"nowhere"})
		f.noMore(s, ch)
	})
}

// firehose is a consumer of the firehose.
type firehose struct {
	t       *testing.T
	s       firehosetest.Server
	records <-chan amqp.Delivery
}

func openFirehose(t *testing.T, s firehosetest.Server) *firehose {
	t.Helper()
	ch := dial(t, s.URL)
	q := must[amqp.Queue](t)(ch.QueueDeclare("", false, false, true, false, nil)).Name
	ok(t, ch.QueueBind(q, "#", "amq.rabbitmq.trace", false, nil))
	return &firehose{t, s, must[<-chan amqp.Delivery](t)(ch.Consume(q, "", false, true, false, false, nil))}
}

// next checks the next record.
func (f *firehose) next(key, body, exchange string, keys []any, props amqp.Table, extra string, value any) {
	f.t.Helper()
	d := receive(f.t, f.records)
	if d.RoutingKey != key || d.Exchange != "amq.rabbitmq.trace" || string(d.Body) != body {
		f.t.Errorf("%s %q through %q, want %s %q", d.RoutingKey, d.Body, d.Exchange, key, body)
	}
	h := maps.Clone(d.Headers)
	connection, _ := h["connection"].(string)
	if !strings.HasPrefix(connection, "127.0.0.1:") || !strings.Contains(connection, " -> 127.0.0.1:") {
		f.t.Errorf("connection %q", connection)
	}
	if node, _ := h["node"].(string); !strings.Contains(node, "@") {
		f.t.Errorf("node %q", node)
	}
	delete(h, "connection")
	delete(h, "node")
	want := amqp.Table{
		"exchange_name": exchange, "routing_keys": keys, "properties": props, "vhost": f.s.VHost,
		"channel": int32(1), "user": "guest", extra: value,
	}
	if !reflect.DeepEqual(h, want) {
		f.t.Errorf("%s:\n got %v\nwant %v", key, show(h), show(want))
	}
}

// noMore turns the firehose off, and checks that nothing was left and nothing follows.
func (f *firehose) noMore(s firehosetest.Server, ch *amqp.Channel) {
	f.t.Helper()
	s.Trace(f.t, false)
	publish(f.t, ch, "x", "nowhere", amqp.Publishing{})
	select {
	case d := <-f.records:
		f.t.Errorf("one more: %s", d.RoutingKey)
	case <-time.After(settle):
	}
}

func show(t amqp.Table) string {
	var b strings.Builder
	for _, k := range slices.Sorted(maps.Keys(t)) {
		fmt.Fprintf(&b, " %s=%#v", k, t[k])
	}
	return b.String()
}

// A queue that receives the firehose's copies gets no copies of copies, nor of what a
// channel with unacknowledged deliveries gets meanwhile.
func TestFirehoseOfItsOwnConsumer(t *testing.T) {
	firehosetest.Each(t, func(t *testing.T, s firehosetest.Server) {
		s.Trace(t, true)
		ch := dial(t, s.URL)
		q := must[amqp.Queue](t)(ch.QueueDeclare("", false, false, true, false, nil)).Name
		ok(t, ch.QueueBind(q, "#", "amq.rabbitmq.trace", false, nil))
		deliveries := must[<-chan amqp.Delivery](t)(ch.Consume(q, "", false, false, false, false, nil))
		publish(t, ch, "", q, amqp.Publishing{Body: []byte("m")})
		var last amqp.Delivery
		for tag, key := range []string{"publish.", q, "deliver." + q} {
			last = receive(t, deliveries)
			if last.RoutingKey != key || last.DeliveryTag != uint64(tag+1) {
				t.Errorf("delivery %d of %s, want %d of %s", last.DeliveryTag, last.RoutingKey, tag+1, key)
			}
		}
		ok(t, last.Ack(true))
		s.Trace(t, false)
		if state := must[amqp.Queue](t)(ch.QueueDeclarePassive(q, false, false, true, false, nil)); state.Messages != 0 {
			t.Errorf("%d messages are left", state.Messages)
		}
	})
}
