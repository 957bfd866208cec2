package gocloud_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"gocloud.dev/pubsub"
	"gocloud.dev/pubsub/rabbitpubsub"

	"github.com/mqtrace/mqtrace/amqptrace"
	"github.com/mqtrace/mqtrace/amqptrace/amqptest"
	"github.com/mqtrace/mqtrace/examples/wrappers/gocloud"
)

func TestSendAndReceive(t *testing.T) {
	t.Run("amqptest", func(t *testing.T) { sendAndReceive(t, amqptest.Start(t).URL()) })
	if url := os.Getenv("MQTRACE_AMQP_URL"); url != "" {
		t.Run("RabbitMQ", func(t *testing.T) { sendAndReceive(t, url) })
	}
}

func sendAndReceive(t *testing.T, url string) {
	name := fmt.Sprintf("mqtrace-test-%d-gocloud", os.Getpid())
	conn := declare(t, url, name)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	opened := rabbitpubsub.OpenTopic(conn, name, nil)
	defer opened.Shutdown(ctx)
	sub := rabbitpubsub.OpenSubscription(conn, name, nil)
	defer sub.Shutdown(ctx)

	spans := amqptest.Record(t)
	topic := gocloud.TraceTopic(opened, name, spans.Options()...)
	cons := amqptrace.NewConsumer(name, spans.Options()...)
	request, caller := spans.Start(ctx, "request")
	if err := topic.Send(request, &pubsub.Message{Body: []byte("tea"), Metadata: map[string]string{"id": "o-1"}}); err != nil {
		t.Fatal(err)
	}
	caller.End()
	failure := errors.New("the bank does not answer")
	for attempt, want := range []error{failure, nil} {
		err := gocloud.Receive(ctx, sub, cons, func(_ context.Context, m *pubsub.Message) error {
			if string(m.Body) != "tea" {
				t.Errorf("received %q", m.Body)
			}
			return want
		})
		if err != want {
			t.Errorf("attempt %d: %v", attempt, err)
		}
	}
	failed, acked := "process "+name+" requeue error=*errors.errorString", "process "+name+" ack"
	spans.WantMessage("o-1", "publish "+name+" acked", failed, acked)
	spans.WantTrace(request, "request", "publish "+name+" acked", failed, acked)
}

// A message without a queue comes back with an error that has only a text: the broker's
// reply code is unknown.
func TestReturned(t *testing.T) {
	b := amqptest.Start(t)
	b.DeclareExchange("orders", "fanout")
	conn, err := amqp.Dial(b.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	spans := amqptest.Record(t)
	opened := rabbitpubsub.OpenTopic(conn, "orders", nil)
	defer opened.Shutdown(context.Background())
	topic := gocloud.TraceTopic(opened, "orders", spans.Options()...)
	if err := topic.Send(context.Background(), &pubsub.Message{Metadata: map[string]string{"id": "o-1"}}); err == nil {
		t.Error("sent")
	}
	spans.WantMessage("o-1", "publish orders unknown error=*gcerr.Error")
}

// declare declares an exchange and a queue, which are deleted when the test ends.
func declare(t *testing.T, url, name string) *amqp.Connection {
	t.Helper()
	conn, err := amqp.Dial(url)
	if err != nil {
		t.Fatal(err)
	}
	ch, err := conn.Channel()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_, _ = ch.QueueDelete(name, false, false, false)
		_ = ch.ExchangeDelete(name, false, false)
		_ = conn.Close()
	})
	if err := ch.ExchangeDeclare(name, amqp.ExchangeFanout, true, false, false, false, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := ch.QueueDeclare(name, true, false, false, false, nil); err != nil {
		t.Fatal(err)
	}
	if err := ch.QueueBind(name, "", name, false, nil); err != nil {
		t.Fatal(err)
	}
	return conn
}
