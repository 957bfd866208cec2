package amqpbroker_test

import (
	"bytes"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// These tests hold for the in-process broker and for RabbitMQ alike, through amqp091-go as
// a program would use it. Behaviour frame by frame is in the wire scripts of
// internal/amqpbroker.

func TestFieldTypes(t *testing.T) {
	eachServer(t, func(t *testing.T, url string) {
		_, ch := dial(t, url)
		q := declare(t, url, ch, nil)
		headers := amqp.Table{
			"nil": nil, "bool": true, "byte": byte(200), "int8": int8(-3), "int16": int16(-300),
			"int32": int32(-7), "int64": int64(1) << 40,
			"float32": float32(1.5), "float64": 2.25, "decimal": amqp.Decimal{Scale: 2, Value: 314},
			"string": "héllo", "bytes": []byte{0, 1, 255}, "time": time.Unix(1700000000, 0),
			"table": amqp.Table{"a": "b", "n": amqp.Table{"z": int64(9)}},
			"array": []any{"s", int32(1), nil, amqp.Table{"k": "v"}, []any{true}},
			"long":  strings.Repeat("x", 100_000), "": "no name", strings.Repeat("n", 255): "long name",
		}
		publish(t, ch, "", q, amqp.Publishing{Headers: headers})
		d := receive(t, must[<-chan amqp.Delivery](t)(ch.Consume(q, "", true, false, false, false, nil)))
		if !reflect.DeepEqual(d.Headers, headers) {
			t.Errorf("sent %v\ngot %v", headers, d.Headers)
		}
	})
}

func TestBodySizes(t *testing.T) {
	eachServer(t, func(t *testing.T, url string) {
		_, ch := dial(t, url)
		q := declare(t, url, ch, nil)
		deliveries := must[<-chan amqp.Delivery](t)(ch.Consume(q, "", true, false, false, false, nil))
		for _, size := range []int{0, 1, 131063, 131064, 131065, 262128, 1 << 20, 5<<20 + 3} {
			body := bytes.Repeat([]byte("0123456789abcdef"), size/16+1)[:size]
			publish(t, ch, "", q, amqp.Publishing{Body: body})
			if d := receive(t, deliveries); !bytes.Equal(d.Body, body) {
				t.Errorf("%d octets: got %d, or others", size, len(d.Body))
			}
		}
	})
}

// Order holds per queue and consumer, and confirms count every message.
func TestConfirmedInOrder(t *testing.T) {
	eachServer(t, func(t *testing.T, url string) {
		_, ch := dial(t, url)
		q := declare(t, url, ch, nil)
		ok(t, ch.Confirm(false))
		const n = 2000
		confirms := ch.NotifyPublish(make(chan amqp.Confirmation, n))
		deliveries := must[<-chan amqp.Delivery](t)(ch.Consume(q, "", false, false, false, false, nil))
		for i := range n {
			publish(t, ch, "", q, amqp.Publishing{MessageId: fmt.Sprint(i)})
		}
		for i := range n {
			if c := <-confirms; !c.Ack || c.DeliveryTag != uint64(i+1) {
				t.Fatalf("confirm %d: %+v", i, c)
			}
			d := receive(t, deliveries)
			if d.MessageId != fmt.Sprint(i) || d.DeliveryTag != uint64(i+1) {
				t.Fatalf("delivery %d: message %s, tag %d", i, d.MessageId, d.DeliveryTag)
			}
			if i%100 == 99 {
				ok(t, d.Ack(true))
			}
		}
	})
}

// A return comes before the acknowledgement of its message.
func TestReturnsBeforeConfirms(t *testing.T) {
	eachServer(t, func(t *testing.T, url string) {
		_, ch := dial(t, url)
		ok(t, ch.Confirm(false))
		returns := ch.NotifyReturn(make(chan amqp.Return, 1))
		for i := range 200 {
			dc, err := ch.PublishWithDeferredConfirmWithContext(background, "", unique("nobody"), true, false,
				amqp.Publishing{MessageId: fmt.Sprint(i)})
			ok(t, err)
			if acked, err := dc.WaitContext(background); err != nil || !acked {
				t.Fatal(acked, err)
			}
			select {
			case r := <-returns:
				if r.MessageId != fmt.Sprint(i) || r.ReplyCode != amqp.NoRoute {
					t.Fatalf("message %d: %+v", i, r)
				}
			default:
				t.Fatalf("message %d was acknowledged and not returned yet", i)
			}
		}
	})
}

func TestManyChannelsAndConnections(t *testing.T) {
	eachServer(t, func(t *testing.T, url string) {
		conn, ch := dial(t, url)
		q := declare(t, url, ch, nil)
		for range 300 {
			ch := must[*amqp.Channel](t)(conn.Channel())
			publish(t, ch, "", q, amqp.Publishing{})
		}
		for range 30 {
			_, ch := dial(t, url)
			publish(t, ch, "", q, amqp.Publishing{})
			must[amqp.Queue](t)(ch.QueueDeclarePassive(q, true, false, false, false, nil))
		}
		deliveries := must[<-chan amqp.Delivery](t)(ch.Consume(q, "", true, false, false, false, nil))
		for range 330 {
			receive(t, deliveries)
		}
	})
}
