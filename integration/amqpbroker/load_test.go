//go:build load

package amqpbroker_test

import (
	"encoding/binary"
	"flag"
	"os"
	"runtime"
	"sync"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

var long = flag.Bool("long", false, "send 200,000 messages in TestLoad rather than 20,000")

// TestLoad sends messages with confirms to one queue with two consumers: none is lost, each
// consumer sees them in order, and memory returns to where it was. It prints the
// throughput; with -v, beside RabbitMQ's if one is named.
func TestLoad(t *testing.T) {
	n := 20_000
	if *long {
		n = 200_000
	}
	t.Run("amqpbroker", func(t *testing.T) {
		b := start(t)
		load(t, b.URL(), 1000) // so that one-time allocations are in the first reading
		before := heap()
		t.Logf("%.0f messages a second", load(t, b.URL(), n))
		// Closed connections may still be going away.
		after := heap()
		for begun := time.Now(); after > before+4<<20 && time.Since(begun) < patience; after = heap() {
			time.Sleep(50 * time.Millisecond)
		}
		if after > before+4<<20 {
			t.Errorf("the heap went from %d to %d octets", before, after)
		}
	})
	if os.Getenv(serverVariable) != "" {
		t.Run("rabbitmq", func(t *testing.T) {
			t.Logf("%.0f messages a second", load(t, realURL(t), n))
		})
	}
}

// load returns messages a second.
func load(t *testing.T, url string, n int) float64 {
	conn := must[*amqp.Connection](t)(amqp.Dial(url))
	defer conn.Close()
	ch := must[*amqp.Channel](t)(conn.Channel())
	q := unique("load")
	must[amqp.Queue](t)(ch.QueueDeclare(q, true, false, false, false, nil))
	defer ch.QueueDelete(q, false, false, false)
	ok(t, ch.Confirm(false))
	confirms := ch.NotifyPublish(make(chan amqp.Confirmation, n))

	seen := make([]bool, n)
	var mu sync.Mutex
	var done sync.WaitGroup
	done.Add(n)
	for range 2 {
		consumer := must[*amqp.Connection](t)(amqp.Dial(url))
		defer consumer.Close()
		ch := must[*amqp.Channel](t)(consumer.Channel())
		ok(t, ch.Qos(200, 0, false))
		deliveries := must[<-chan amqp.Delivery](t)(ch.Consume(q, "", false, false, false, false, nil))
		go func() {
			last := -1
			for d := range deliveries {
				i := int(binary.BigEndian.Uint32(d.Body))
				mu.Lock()
				if i <= last || seen[i] {
					t.Errorf("message %d after %d, seen before: %t", i, last, seen[i])
				}
				seen[i] = true
				mu.Unlock()
				last = i
				_ = d.Ack(false)
				done.Done()
			}
		}()
	}

	begun := time.Now()
	for i := range n {
		publish(t, ch, "", q, amqp.Publishing{Body: binary.BigEndian.AppendUint32(nil, uint32(i))})
	}
	for i := range n {
		if c := <-confirms; !c.Ack || c.DeliveryTag != uint64(i+1) {
			t.Fatalf("confirm %d: %+v", i, c)
		}
	}
	done.Wait()
	return float64(n) / time.Since(begun).Seconds()
}

func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// BenchmarkPublishConsume is one message from a publisher to a consumer, confirms included,
// with a thousand in flight.
func BenchmarkPublishConsume(b *testing.B) {
	broker := start(b)
	_, ch := dial(b, broker.URL())
	q := declare(b, broker.URL(), ch, nil)
	ok(b, ch.Confirm(false))
	confirms := ch.NotifyPublish(make(chan amqp.Confirmation, 1000))
	_, consumer := dial(b, broker.URL())
	deliveries := must[<-chan amqp.Delivery](b)(consumer.Consume(q, "", true, false, false, false, nil))
	body := make([]byte, 256)
	got := make(chan struct{})
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	b.ResetTimer()
	go func() {
		defer close(got)
		for range b.N {
			<-deliveries
			<-confirms
		}
	}()
	for range b.N {
		publish(b, ch, "", q, amqp.Publishing{Body: body, Headers: amqp.Table{"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}})
	}
	<-got
}
