package amqptest_test

import (
	"fmt"
	"os"
	"reflect"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/mqtrace/mqtrace/amqptrace/amqptest"
)

// everything has a value of each type and every property.
var everything = amqp.Publishing{
	Headers: amqp.Table{
		"bool": true, "int8": int8(-1), "uint8": byte(200), "int16": int16(-300), "uint16": uint16(60000), "int32": int32(-70000),
		"uint32": uint32(4e9), "int64": int64(-5e9), "float32": float32(0.5), "float64": 0.25,
		"decimal": amqp.Decimal{Scale: 2, Value: 314}, "string": "s", "binary": []byte("x"),
		"time": time.Unix(1_700_000_000, 0), "nil": nil, "array": []any{"a", int32(1), amqp.Table{"in": "array"}},
		"table": amqp.Table{"nested": amqp.Table{"deep": []byte("x")}},
	},
	ContentType: "application/json", ContentEncoding: "gzip", DeliveryMode: 2, Priority: 3, CorrelationId: "c",
	ReplyTo: "r", Expiration: "600000", MessageId: "m", Timestamp: time.Unix(1_700_000_001, 0), Type: "t",
	UserId: "guest", AppId: "a", Body: []byte("body"),
}

// A message has the values that amqp091-go delivers, from this broker and from RabbitMQ.
func TestMessageIsWhatIsDelivered(t *testing.T) {
	b := amqptest.Start(t)
	name := fmt.Sprintf("mqtrace-test-%d-amqptest", os.Getpid())
	deliver := func(t *testing.T, url string) amqp.Delivery {
		t.Helper()
		conn, err := amqp.Dial(url)
		ok(t, err)
		defer conn.Close()
		ch, err := conn.Channel()
		ok(t, err)
		q, err := ch.QueueDeclare(name, false, true, true, false, nil)
		ok(t, err)
		ok(t, ch.Confirm(false))
		dc, err := ch.PublishWithDeferredConfirm("", q.Name, false, false, everything)
		ok(t, err)
		dc.Wait()
		if url == b.URL() {
			compare(t, b.Messages(q.Name)[0], delivered(t, ch, q.Name))
			return amqp.Delivery{}
		}
		return delivered(t, ch, q.Name)
	}
	deliver(t, b.URL())
	if url := os.Getenv("MQTRACE_AMQP_URL"); url != "" {
		d := deliver(t, url)
		b.DeclareQueue(name, nil)
		ok(t, b.Channel().PublishWithContext(background, "", name, false, false, everything))
		compare(t, b.WaitMessages(name, 1)[0], d)
	}
}

func delivered(t *testing.T, ch *amqp.Channel, queue string) amqp.Delivery {
	t.Helper()
	d, found, err := ch.Get(queue, false)
	if err != nil || !found {
		t.Fatal(found, err)
	}
	return d
}

func compare(t *testing.T, got amqptest.Message, d amqp.Delivery) {
	t.Helper()
	want := amqptest.Message{
		Publishing: amqp.Publishing{
			Headers: d.Headers, ContentType: d.ContentType, ContentEncoding: d.ContentEncoding,
			DeliveryMode: d.DeliveryMode, Priority: d.Priority, CorrelationId: d.CorrelationId,
			ReplyTo: d.ReplyTo, Expiration: d.Expiration, MessageId: d.MessageId, Timestamp: d.Timestamp,
			Type: d.Type, UserId: d.UserId, AppId: d.AppId, Body: d.Body,
		},
		Exchange: d.Exchange, RoutingKey: d.RoutingKey, Redelivered: d.Redelivered,
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("holds\n%#v\nand delivers\n%#v", got, want)
	}
}
