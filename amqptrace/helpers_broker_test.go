package amqptrace_test

import (
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/mqtrace/mqtrace/internal/amqpbroker"
)

// onBrokers runs a test on the in-process broker and, if MQTRACE_AMQP_URL names one, on a
// real RabbitMQ, which must answer.
func onBrokers(t *testing.T, test func(t *testing.T, ch *amqp.Channel)) {
	t.Helper()
	onURLs(t, func(t *testing.T, url string) { test(t, open(t, url)) })
}

func onURLs(t *testing.T, test func(t *testing.T, url string)) {
	t.Helper()
	t.Run("in-process", func(t *testing.T) {
		b, err := amqpbroker.Start()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = b.Close() })
		test(t, b.URL())
	})
	if url := os.Getenv("MQTRACE_AMQP_URL"); url != "" {
		t.Run("RabbitMQ", func(t *testing.T) { test(t, url) })
	}
}

func open(t testing.TB, url string) *amqp.Channel {
	t.Helper()
	conn, err := amqp.Dial(url)
	if err != nil {
		t.Fatal("the broker does not answer: ", err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	ch, err := conn.Channel()
	if err != nil {
		t.Fatal(err)
	}
	return ch
}

var sequence atomic.Int64

// unique returns a name that no other test, and no other run of this one, uses.
func unique(prefix string) string {
	return fmt.Sprintf("mqtrace-%s-%d-%d", prefix, os.Getpid(), sequence.Add(1))
}

// topology declares a topic exchange, a queue bound to it by "k.#", and a dead-letter
// queue behind that, and removes them after the test, which must leave ch open.
func topology(t testing.TB, ch *amqp.Channel) (exchange, queue, dead string) {
	t.Helper()
	exchange, queue, dead = unique("x"), unique("q"), unique("dead")
	for _, err := range []error{
		ch.ExchangeDeclare(exchange, amqp.ExchangeTopic, false, false, false, false, nil),
		declare(ch, dead, nil),
		declare(ch, queue, amqp.Table{"x-dead-letter-exchange": "", "x-dead-letter-routing-key": dead}),
		ch.QueueBind(queue, "k.#", exchange, false, nil),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		_, errQueue := ch.QueueDelete(queue, false, false, false)
		_, errDead := ch.QueueDelete(dead, false, false, false)
		if err := errors.Join(errQueue, errDead, ch.ExchangeDelete(exchange, false, false)); err != nil {
			t.Error(err)
		}
	})
	return exchange, queue, dead
}

func declare(ch *amqp.Channel, queue string, args amqp.Table) error {
	_, err := ch.QueueDeclare(queue, false, false, false, false, args)
	return err
}

func consume(t testing.TB, ch *amqp.Channel, queue string) <-chan amqp.Delivery {
	t.Helper()
	ds, err := ch.Consume(queue, "", false, false, false, false, nil)
	if err != nil {
		t.Fatal(err)
	}
	return ds
}

// get waits for a message with basic.get, which prefetches no others.
func get(t testing.TB, ch *amqp.Channel, queue string) amqp.Delivery {
	t.Helper()
	for began := time.Now(); time.Since(began) < patience; time.Sleep(time.Millisecond) {
		if d, ok, err := ch.Get(queue, false); err != nil {
			t.Fatal(err)
		} else if ok {
			return d
		}
	}
	t.Fatal("no message in ", queue)
	return amqp.Delivery{}
}

// patience is how long tests wait for what they expect, to allow for a busy machine.
const patience = time.Minute

func next(t testing.TB, ds <-chan amqp.Delivery) amqp.Delivery {
	t.Helper()
	select {
	case d, ok := <-ds:
		if !ok {
			t.Fatal("the consumer was closed")
		}
		return d
	case <-time.After(patience):
		t.Fatal("no message arrived")
	}
	return amqp.Delivery{}
}
