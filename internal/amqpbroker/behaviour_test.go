package amqpbroker_test

import (
	"bytes"
	"context"
	"fmt"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// These tests hold for the in-process broker and for RabbitMQ alike, through
// amqp091-go as a program would use it. What can be said frame by frame stands in
// the wire scripts.

var background = context.Background()

// must gives v where nothing has failed.
func must[T any](t testing.TB) func(v T, err error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func ok(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// declare makes a queue that is deleted when the test ends.
func declare(t testing.TB, url string, ch *amqp.Channel, args amqp.Table) string {
	t.Helper()
	name := unique("q")
	must[amqp.Queue](t)(ch.QueueDeclare(name, true, false, false, false, args))
	t.Cleanup(func() {
		conn, err := amqp.Dial(url)
		if err != nil {
			return // the test has ended its broker
		}
		defer conn.Close()
		if ch, err := conn.Channel(); err == nil {
			_, _ = ch.QueueDelete(name, false, false, false)
		}
	})
	return name
}

func publish(t testing.TB, ch *amqp.Channel, exchange, key string, p amqp.Publishing) {
	t.Helper()
	ok(t, ch.PublishWithContext(background, exchange, key, false, false, p))
}

func receive(t testing.TB, deliveries <-chan amqp.Delivery) amqp.Delivery {
	t.Helper()
	select {
	case d, open := <-deliveries:
		if !open {
			t.Fatal("the deliveries have ended")
		}
		return d
	case <-time.After(patience):
		t.Fatal("no delivery")
	}
	panic("unreachable")
}

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

// A connection that breaks gives back what it had not acknowledged, in its place.
func TestBrokenConnectionRequeues(t *testing.T) {
	eachServer(t, func(t *testing.T, server string) {
		_, ch := dial(t, server)
		q := declare(t, server, ch, nil)
		for i := range 5 {
			publish(t, ch, "", q, amqp.Publishing{Body: []byte{byte('0' + i)}})
		}
		u := must[*url.URL](t)(url.Parse(server))
		p := openPeer(t, u, map[string]string{"vhost": must[amqp.URI](t)(amqp.ParseURI(server)).Vhost})
		p.next(patience)
		p.method(1, "channel.open", nil)
		p.next(patience)
		p.method(1, "basic.qos", map[string]string{"prefetch-count": "3"})
		p.next(patience)
		p.method(1, "basic.consume", map[string]string{"queue": q, "consumer-tag": "c"})
		for _, want := range []string{"basic.consume-ok", "basic.deliver", "basic.deliver", "basic.deliver"} {
			if got, _ := p.next(patience); !strings.Contains(got, want) {
				t.Fatalf("%q came, want %s", got, want)
			}
		}
		p.sock.Close()
		for begun := time.Now(); ; time.Sleep(10 * time.Millisecond) {
			state := must[amqp.Queue](t)(ch.QueueDeclarePassive(q, true, false, false, false, nil))
			if state.Messages == 5 && state.Consumers == 0 {
				break
			}
			if time.Since(begun) > patience {
				t.Fatalf("the queue has %d messages and %d consumers", state.Messages, state.Consumers)
			}
		}
		for i := range 5 {
			d, _, err := ch.Get(q, true)
			ok(t, err)
			if want := string(rune('0' + i)); string(d.Body) != want || d.Redelivered != (i < 3) {
				t.Errorf("message %s, redelivered %t, want %s, %t", d.Body, d.Redelivered, want, i < 3)
			}
		}
	})
}

// Heartbeats: RabbitMQ sends them, and gives up a client that sends none.
func TestHeartbeats(t *testing.T) {
	eachServer(t, func(t *testing.T, server string) {
		u := must[*url.URL](t)(url.Parse(server))
		t.Run("silent", func(t *testing.T) {
			t.Parallel()
			begun := time.Now() // not after the server began to count
			p := openPeer(t, u, map[string]string{"heartbeat": "1"})
			defer p.sock.Close()
			got, came := p.next(patience) // heartbeats are passed over
			if took := time.Since(begun); !came || got != "closed" || took < 1500*time.Millisecond {
				t.Errorf("%q after %v, want the end after two seconds or more", got, took)
			}
		})
		t.Run("heard", func(t *testing.T) {
			t.Parallel()
			// Not one second: a machine that does something else for two would end it.
			p := openPeer(t, u, map[string]string{"heartbeat": "3"})
			defer p.sock.Close()
			beats := 0
			for begun := time.Now(); time.Since(begun) < 9*time.Second; {
				_ = p.sock.SetReadDeadline(time.Now().Add(6 * time.Second))
				_, kind, _, err := p.readFrame()
				if err != nil {
					t.Fatalf("after %d heartbeats: %v", beats, err)
				}
				if kind == 8 {
					beats++
					p.frame(8, 0, nil)
				}
			}
			if beats < 3 {
				t.Errorf("%d heartbeats in nine seconds, want one in three seconds or more", beats)
			}
		})
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
