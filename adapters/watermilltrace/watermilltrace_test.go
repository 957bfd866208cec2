package watermilltrace_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	wamqp "github.com/ThreeDotsLabs/watermill-amqp/v3/pkg/amqp"
	"github.com/ThreeDotsLabs/watermill/message"
	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/mqtrace/mqtrace/adapters/watermilltrace"
	"github.com/mqtrace/mqtrace/amqptrace/amqptest"
)

// onBrokers runs a test on amqptest's broker and, where MQTRACE_AMQP_URL names one, on a
// RabbitMQ.
func onBrokers(t *testing.T, test func(t *testing.T, url string)) {
	t.Run("amqptest", func(t *testing.T) { test(t, amqptest.Start(t).URL()) })
	if url := os.Getenv("MQTRACE_AMQP_URL"); url != "" {
		t.Run("RabbitMQ", func(t *testing.T) { test(t, url) })
	}
}

// A stage is a router, not yet running, whose queues are deleted when the test ends.
type stage struct {
	*testing.T

	config wamqp.Config
	spans  *amqptest.Recorder
	pub    message.Publisher
	sub    message.Subscriber
	router *message.Router
	queue  string
}

func newStage(t *testing.T, url string, change func(*wamqp.Config)) *stage {
	t.Helper()
	s := &stage{T: t, config: wamqp.NewDurableQueueConfig(url), spans: amqptest.Record(t)}
	s.queue = fmt.Sprintf("mqtrace-test-%d-watermill", os.Getpid())
	s.config.Publish.ConfirmDelivery = true
	if change != nil {
		change(&s.config)
	}
	t.Cleanup(func() { remove(t, url, s.queue, s.queue+"-next") })
	pub, err := wamqp.NewPublisher(s.config, watermill.NopLogger{})
	s.ok(err)
	s.pub = watermilltrace.Publisher(pub, s.config, s.spans.Options()...)
	t.Cleanup(func() { _ = pub.Close() })
	s.sub, err = wamqp.NewSubscriber(s.config, watermill.NopLogger{})
	s.ok(err)
	s.router, err = message.NewRouter(message.RouterConfig{}, watermill.NopLogger{})
	s.ok(err)
	s.router.AddMiddleware(watermilltrace.Middleware(s.config, s.spans.Options()...))
	return s
}

func (s *stage) ok(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

func (s *stage) run() {
	s.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = s.router.Run(context.Background())
	}()
	s.Cleanup(func() {
		_ = s.router.Close()
		<-done
	})
	select {
	case <-s.router.Running():
	case <-time.After(time.Minute):
		s.Fatal("the router does not run")
	}
}

func remove(t *testing.T, url string, queues ...string) {
	conn, err := amqp.Dial(url)
	if err != nil {
		return // the test has ended its broker
	}
	defer conn.Close()
	ch, err := conn.Channel()
	if err != nil {
		t.Fatal(err)
	}
	for _, q := range queues {
		_, _ = ch.QueueDelete(q, false, false, false)
	}
}

// A message and the one that its handler returns are in the caller's trace.
func TestHandlersThatPublish(t *testing.T) {
	onBrokers(t, func(t *testing.T, url string) {
		s := newStage(t, url, nil)
		s.router.AddHandler("bill", s.queue, s.sub, s.queue+"-next", s.pub,
			func(m *message.Message) ([]*message.Message, error) {
				return message.Messages{message.NewMessage("bill-1", m.Payload)}, nil
			})
		s.router.AddConsumerHandler("mail", s.queue+"-next", s.sub, func(*message.Message) error { return nil })
		s.run()
		ctx, caller := s.spans.Start(context.Background(), "request")
		m := message.NewMessage("order-1", []byte("tea"))
		m.Metadata.Set("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01") // stale
		m.SetContext(ctx)
		s.ok(s.pub.Publish(s.queue, m))
		caller.End()
		s.spans.WantMessage("order-1", "publish amq.default acked", "process "+s.queue+" ack")
		s.spans.WantMessage("bill-1", "publish amq.default acked", "process "+s.queue+"-next ack")
		s.spans.WantTrace(ctx, "request", "publish amq.default acked", "process "+s.queue+" ack",
			"publish amq.default acked", "process "+s.queue+"-next ack")
		if m.Metadata.Get("traceparent")[3:5] != "0a" {
			t.Error("the caller's message was changed")
		}
	})
}

func TestFailuresAndSettlements(t *testing.T) {
	onBrokers(t, func(t *testing.T, url string) {
		const failed = " error=*errors.errorString"
		for name, c := range map[string]struct {
			change func(*wamqp.Config)
			want   func(queue string) []string
		}{
			"tried again": {nil, func(q string) []string {
				return []string{"publish amq.default acked", "process " + q + " requeue" + failed, "process " + q + " ack"}
			}},
			"given up": {func(c *wamqp.Config) { c.Consume.NoRequeueOnNack = true }, func(q string) []string {
				return []string{"publish amq.default acked", "process " + q + " nack" + failed}
			}},
			"not known": {func(c *wamqp.Config) { c.Publish.Mandatory = true }, func(q string) []string {
				return []string{"publish amq.default", "process " + q + " requeue" + failed, "process " + q + " ack"}
			}},
		} {
			t.Run(name, func(t *testing.T) {
				s := newStage(t, url, c.change)
				first := true
				s.router.AddConsumerHandler("bill", s.queue, s.sub, func(*message.Message) error {
					if first {
						first = false
						return errors.New("the bank does not answer")
					}
					return nil
				})
				s.run()
				s.ok(s.pub.Publish(s.queue, message.NewMessage("order-1", nil)))
				s.spans.WantMessage("order-1", c.want(s.queue)...)
			})
		}
	})
}

func TestPublishFails(t *testing.T) {
	s := newStage(t, amqptest.Start(t).URL(), nil)
	s.ok(s.pub.Close())
	if err := s.pub.Publish(s.queue, message.NewMessage("order-1", nil)); err == nil {
		t.Fatal("published")
	}
	s.spans.WantMessage("order-1", "publish amq.default unknown error=*errors.fundamental")
}
