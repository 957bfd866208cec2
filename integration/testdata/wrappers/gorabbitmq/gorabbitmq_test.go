package gorabbitmq_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/wagslane/go-rabbitmq"

	"example.com/wrappers/gorabbitmq"
	"github.com/mqtrace/mqtrace/amqptrace"
	"github.com/mqtrace/mqtrace/amqptrace/amqptest"
)

func TestActions(t *testing.T) {
	const acked = "publish amq.default acked"
	for name, c := range map[string]struct {
		actions []rabbitmq.Action
		opts    []func(*rabbitmq.PublishOptions)
		publish string
		process []string
	}{
		"ack":       {[]rabbitmq.Action{rabbitmq.Ack}, nil, acked, []string{"ack"}},
		"requeue":   {[]rabbitmq.Action{rabbitmq.NackRequeue, rabbitmq.Ack}, nil, acked, []string{"requeue", "ack"}},
		"discard":   {[]rabbitmq.Action{rabbitmq.NackDiscard}, nil, acked, []string{"nack error=rejected"}},
		"manual":    {[]rabbitmq.Action{rabbitmq.Manual}, nil, acked, []string{"ack"}},
		"mandatory": {[]rabbitmq.Action{rabbitmq.Ack}, []func(*rabbitmq.PublishOptions){rabbitmq.WithPublishOptionsMandatory}, "publish amq.default", []string{"ack"}},
	} {
		test := func(t *testing.T, url string) {
			spans := amqptest.Record(t)
			conn := dial(t, url)
			queue := fmt.Sprintf("mqtrace-test-%d-gorabbitmq-%s", os.Getpid(), name)
			declare(t, url, queue)
			consumer, err := rabbitmq.NewConsumer(conn, queue, rabbitmq.WithConsumerOptionsQueueNoDeclare)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(consumer.Close)
			attempt := 0
			go consumer.Run(gorabbitmq.TraceHandler(amqptrace.NewConsumer(queue, spans.Options()...),
				func(_ context.Context, d rabbitmq.Delivery) rabbitmq.Action {
					attempt++
					if c.actions[attempt-1] == rabbitmq.Manual {
						_ = d.Ack(false)
					}
					return c.actions[attempt-1]
				}))
			ctx, request := spans.Start(context.Background(), "request")
			pub := gorabbitmq.TracePublisher(publisher(t, conn), spans.Options()...)
			err = pub.PublishConfirmed(ctx, []byte("tea"), []string{queue}, append(c.opts, rabbitmq.WithPublishOptionsMessageID("o-1"))...)
			if err != nil {
				t.Fatal(err)
			}
			request.End()
			want := []string{"request", c.publish}
			for _, p := range c.process {
				want = append(want, "process "+queue+" "+p)
			}
			spans.WantTrace(ctx, want...)
		}
		t.Run(name+" on amqptest", func(t *testing.T) { test(t, amqptest.Start(t).URL()) })
		if url := os.Getenv("MQTRACE_AMQP_URL"); url != "" {
			t.Run(name+" on RabbitMQ", func(t *testing.T) { test(t, url) })
		}
	}
}

func TestNotConfirmed(t *testing.T) {
	b := amqptest.Start(t)
	spans := amqptest.Record(t)
	pub := gorabbitmq.TracePublisher(publisher(t, dial(t, b.URL())), spans.Options()...)
	publish := func(ctx context.Context, id string) error {
		return pub.PublishConfirmed(ctx, nil, []string{"q"}, rabbitmq.WithPublishOptionsMessageID(id))
	}

	b.RefuseConfirms(true)
	if err := publish(context.Background(), "refused"); !errors.Is(err, gorabbitmq.ErrNotConfirmed) {
		t.Error("refused:", err)
	}
	spans.WantMessage("refused", "publish amq.default unknown error=*errors.errorString")

	b.DelayConfirms(time.Hour)
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if err := publish(ctx, "late"); !errors.Is(err, context.DeadlineExceeded) {
		t.Error("late:", err)
	}
	spans.WantMessage("late", "publish amq.default timeout error=context.DeadlineExceeded")

	time.AfterFunc(50*time.Millisecond, b.CutConnections)
	if err := publish(context.Background(), "closed"); !errors.Is(err, gorabbitmq.ErrNotConfirmed) {
		t.Error("connection lost:", err)
	}
	spans.WantMessage("closed", "publish amq.default unknown error=*errors.errorString")
}

// declare makes a queue that exists until the test ends.
func declare(t *testing.T, url, queue string) {
	t.Helper()
	conn, err := amqp.Dial(url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	ch, err := conn.Channel()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ch.QueueDeclare(queue, true, false, false, false, nil); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = ch.QueueDelete(queue, false, false, false) })
}

func dial(t *testing.T, url string) *rabbitmq.Conn {
	t.Helper()
	conn, err := rabbitmq.NewConn(url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

func publisher(t *testing.T, conn *rabbitmq.Conn) *rabbitmq.Publisher {
	t.Helper()
	pub, err := rabbitmq.NewPublisher(conn, rabbitmq.WithPublisherOptionsConfirm)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pub.Close)
	return pub
}
