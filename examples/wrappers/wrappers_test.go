package wrappers_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"
	"go.opentelemetry.io/otel/trace"

	"github.com/mqtrace/mqtrace/amqptrace"
	"github.com/mqtrace/mqtrace/amqptrace/amqptest"
	"github.com/mqtrace/mqtrace/examples/wrappers/gorabbitmq"
	"github.com/mqtrace/mqtrace/examples/wrappers/gorabbitmq/rabbitmq"
	"github.com/mqtrace/mqtrace/examples/wrappers/inhouse"
	"github.com/mqtrace/mqtrace/examples/wrappers/machinery"
	lib "github.com/mqtrace/mqtrace/examples/wrappers/machinery/machinery"
)

// A stage is a queue, a recorder and the caller's span.
type stage struct {
	*testing.T

	url, queue string
	spans      *amqptest.Recorder
	ctx        context.Context
	caller     trace.Span
}

// onBrokers runs a test on amqptest's broker and, if MQTRACE_AMQP_URL names one, on a
// RabbitMQ.
func onBrokers(t *testing.T, test func(s *stage)) {
	t.Helper()
	run := func(t *testing.T, url string) {
		t.Helper()
		s := &stage{T: t, url: url, queue: fmt.Sprintf("mqtrace-test-%d-wrappers", os.Getpid()), spans: amqptest.Record(t)}
		ch := s.channel()
		t.Cleanup(func() { _, _ = ch.QueueDelete(s.queue, false, false, false) })
		_, err := ch.QueueDeclare(s.queue, true, false, false, false, nil)
		s.ok(err)
		s.ctx, s.caller = s.spans.Start(context.Background(), "request")
		test(s)
	}
	t.Run("amqptest", func(t *testing.T) { run(t, amqptest.Start(t).URL()) })
	if url := os.Getenv("MQTRACE_AMQP_URL"); url != "" {
		t.Run("RabbitMQ", func(t *testing.T) { run(t, url) })
	}
}

func (s *stage) ok(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

// channel returns a channel in confirm mode.
func (s *stage) channel() *amqp.Channel {
	s.Helper()
	conn, err := amqp.Dial(s.url)
	s.ok(err)
	s.Cleanup(func() { _ = conn.Close() })
	ch, err := conn.Channel()
	s.ok(err)
	s.ok(ch.Confirm(false))
	return ch
}

// want checks the spans of the message o-1 and that the caller's is in their trace.
func (s *stage) want(publish string, processes ...string) {
	s.Helper()
	lines := []string{publish}
	for _, p := range processes {
		lines = append(lines, "process "+s.queue+" "+p)
	}
	s.caller.End()
	s.spans.WantMessage("o-1", lines...)
	s.spans.WantTrace(s.ctx, append([]string{"request"}, lines...)...)
}

const failed = " error=*errors.errorString"

var errBank = errors.New("the bank does not answer")

func TestGoRabbitMQ(t *testing.T) {
	for name, c := range map[string]struct {
		actions []rabbitmq.Action
		opts    []func(*rabbitmq.PublishOptions)
		publish string
		want    []string
	}{
		"ack":       {[]rabbitmq.Action{rabbitmq.Ack}, nil, "publish amq.default acked", []string{"ack"}},
		"requeue":   {[]rabbitmq.Action{rabbitmq.NackRequeue, rabbitmq.Ack}, nil, "publish amq.default acked", []string{"requeue", "ack"}},
		"discard":   {[]rabbitmq.Action{rabbitmq.NackDiscard}, nil, "publish amq.default acked", []string{"nack error=rejected"}},
		"manual":    {[]rabbitmq.Action{rabbitmq.Manual}, nil, "publish amq.default acked", []string{"ack"}},
		"mandatory": {[]rabbitmq.Action{rabbitmq.Ack}, []func(*rabbitmq.PublishOptions){rabbitmq.WithPublishOptionsMandatory}, "publish amq.default", []string{"ack"}},
	} {
		t.Run(name, func(t *testing.T) {
			onBrokers(t, func(s *stage) {
				pub := gorabbitmq.TracePublisher(rabbitmq.NewPublisher(s.channel()), s.spans.Options()...)
				s.ok(pub.PublishConfirmed(s.ctx, []byte("tea"), []string{s.queue}, append(c.opts, rabbitmq.WithPublishOptionsMessageID("o-1"))...))
				cons := amqptrace.NewConsumer(s.queue, s.spans.Options()...)
				go rabbitmq.NewConsumer(s.channel(), s.queue).Run(gorabbitmq.TraceHandler(cons,
					func(_ context.Context, d rabbitmq.Delivery) rabbitmq.Action {
						action := c.actions[0]
						c.actions = append(c.actions[1:], action) // for the next broker
						if action == rabbitmq.Manual {
							_ = d.Ack(false)
						}
						return action
					}))
				s.want(c.publish, c.want...)
			})
		})
	}
}

func TestGoRabbitMQIsTold(t *testing.T) {
	b := amqptest.Start(t)
	spans := amqptest.Record(t)
	pub := gorabbitmq.TracePublisher(rabbitmq.NewPublisher(b.Channel()), spans.Options()...)
	b.RefuseConfirms(true)
	err := pub.PublishConfirmed(context.Background(), nil, []string{"q"}, rabbitmq.WithPublishOptionsMessageID("o-1"))
	if !errors.Is(err, amqptrace.ErrNacked) {
		t.Errorf("refused: %v", err)
	}
	spans.WantMessage("o-1", "publish amq.default nacked error=nacked")
}

func TestMachinery(t *testing.T) {
	for name, c := range map[string]struct {
		err  error
		want string
	}{"done": {nil, "ack"}, "failed": {errBank, "ack" + failed}} {
		t.Run(name, func(t *testing.T) {
			onBrokers(t, func(s *stage) {
				config := lib.Config{DefaultQueue: s.queue}
				inTask := make(chan trace.SpanContext, 1)
				worker := lib.Worker{"bill": machinery.Task(func(ctx context.Context, _ string) error {
					inTask <- trace.SpanContextFromContext(ctx)
					return c.err
				})}
				consumer := machinery.TraceBroker(lib.NewBroker(config, s.channel()), s.spans.Options()...)
				go consumer.StartConsuming("", 1, worker)
				producer := machinery.TraceBroker(lib.NewBroker(config, s.channel()), s.spans.Options()...)
				task := &lib.Signature{UUID: "o-1", Name: "bill", Arg: "tea"}
				s.ok(producer.Publish(s.ctx, task))
				s.want("publish amq.default acked", c.want)
				if (<-inTask).TraceID() != s.caller.SpanContext().TraceID() || task.Headers != nil {
					t.Errorf("the task is in another trace, or the signature was changed: %v", task.Headers)
				}
			})
		})
	}
}

func TestInHouse(t *testing.T) {
	onBrokers(t, func(s *stage) {
		ch, exchange := s.channel(), s.queue+"-events"
		s.Cleanup(func() { _ = ch.ExchangeDelete(exchange, false, false) })
		s.ok(ch.ExchangeDeclare(exchange, amqp.ExchangeTopic, true, false, false, false, nil))
		s.ok(ch.QueueBind(s.queue, "order.*", exchange, false, nil))
		client := inhouse.New(s.channel(), exchange, s.spans.Options()...)
		attempt := 0
		go client.Subscribe(s.channel(), s.queue, func(context.Context, []byte) error {
			if attempt++; attempt == 1 {
				return errBank
			}
			return nil
		})
		s.ok(client.Emit(s.ctx, "order.created", "o-1", []byte("tea")))
		s.want("publish "+exchange+" acked", "requeue"+failed, "ack")
	})
}
