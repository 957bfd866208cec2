package wrappers_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"go.opentelemetry.io/otel/trace"

	"github.com/mqtrace/mqtrace/amqptrace"
	"github.com/mqtrace/mqtrace/amqptrace/amqptest"
	"github.com/mqtrace/mqtrace/examples/wrappers/gorabbitmq"
	"github.com/mqtrace/mqtrace/examples/wrappers/gorabbitmq/rabbitmq"
	"github.com/mqtrace/mqtrace/examples/wrappers/inhouse"
	"github.com/mqtrace/mqtrace/examples/wrappers/machinery"
	lib "github.com/mqtrace/mqtrace/examples/wrappers/machinery/v2"
	amqpbroker "github.com/mqtrace/mqtrace/examples/wrappers/machinery/v2/brokers/amqp"
	"github.com/mqtrace/mqtrace/examples/wrappers/machinery/v2/brokers/iface"
	"github.com/mqtrace/mqtrace/examples/wrappers/machinery/v2/config"
	"github.com/mqtrace/mqtrace/examples/wrappers/machinery/v2/tasks"
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

// want checks the spans of the message o-1, of which those that do not publish process it
// from the queue, and that the caller's is in their trace.
func (s *stage) want(spans ...string) {
	s.Helper()
	var lines []string
	for _, span := range spans {
		if !strings.HasPrefix(span, "publish") {
			span = "process " + s.queue + " " + span
		}
		lines = append(lines, span)
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
				s.want(append([]string{c.publish}, c.want...)...)
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
	if !errors.Is(err, gorabbitmq.ErrNotConfirmed) {
		t.Errorf("refused: %v", err)
	}
	spans.WantMessage("o-1", "publish amq.default unknown"+failed)

	b.DelayConfirms(time.Hour)
	time.AfterFunc(50*time.Millisecond, b.CutConnections)
	err = pub.PublishConfirmed(context.Background(), nil, []string{"q"}, rabbitmq.WithPublishOptionsMessageID("o-2"))
	if !errors.Is(err, gorabbitmq.ErrNotConfirmed) {
		t.Errorf("connection lost: %v", err)
	}
	spans.WantMessage("o-2", "publish amq.default unknown"+failed)
}

func TestGoRabbitMQWithoutConfirms(t *testing.T) {
	b := amqptest.Start(t)
	spans := amqptest.Record(t)
	conn, err := amqp.Dial(b.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	ch, err := conn.Channel()
	if err != nil {
		t.Fatal(err)
	}
	pub := gorabbitmq.TracePublisher(rabbitmq.NewPublisher(ch), spans.Options()...)
	err = pub.PublishConfirmed(context.Background(), nil, []string{"q"}, rabbitmq.WithPublishOptionsMessageID("o-1"))
	if !errors.Is(err, amqptrace.ErrNotConfirming) {
		t.Errorf("not in confirm mode: %v", err)
	}
	spans.WantMessage("o-1", "publish amq.default unconfirmed error=not_confirming")
}

func TestMachinery(t *testing.T) {
	const published = "publish amq.default acked"
	for name, c := range map[string]struct {
		errs []error
		want []string
	}{
		"done":    {[]error{nil}, []string{published, "ack"}},
		"failed":  {[]error{errBank}, []string{published, "ack" + failed}},
		"retried": {[]error{errBank, nil}, []string{published, "ack" + failed, published, "ack"}},
	} {
		t.Run(name, func(t *testing.T) {
			onBrokers(t, func(s *stage) {
				attempt := 0
				task := s.machinery(func(context.Context, string) error {
					attempt++
					return c.errs[attempt-1]
				}, &tasks.Signature{RetryCount: len(c.errs) - 1})
				s.want(c.want...)
				if task.Headers != nil {
					t.Errorf("the signature was changed: %v", task.Headers)
				}
			})
		})
	}
}

// machinery publishes a chain's tasks one after the other, without a context.
func TestMachineryChain(t *testing.T) {
	onBrokers(t, func(s *stage) {
		next := &tasks.Signature{UUID: "o-2", Name: "bill", Args: []tasks.Arg{{Type: "string", Value: "tea"}}}
		inTask := make(chan trace.SpanContext, 2)
		s.machinery(func(ctx context.Context, _ string) error {
			inTask <- trace.SpanContextFromContext(ctx)
			return nil
		}, &tasks.Signature{OnSuccess: []*tasks.Signature{next}})
		s.spans.WantMessage("o-2", "publish amq.default acked", "process "+s.queue+" ack")
		for range 2 {
			if (<-inTask).TraceID() != s.caller.SpanContext().TraceID() {
				t.Error("a task is in another trace")
			}
		}
		s.caller.End()
	})
}

// machinery sends a task to a worker and returns it.
func (s *stage) machinery(bill func(context.Context, string) error, task *tasks.Signature) *tasks.Signature {
	s.Helper()
	cnf := &config.Config{DefaultQueue: s.queue, AMQP: &config.AMQPConfig{}}
	traced := func() iface.Broker {
		return machinery.TraceBroker(amqpbroker.New(cnf, s.channel()), s.spans.Options()...)
	}
	worker := lib.Worker{Broker: traced(), Tasks: map[string]func(context.Context, string) error{"bill": machinery.Task(bill)}}
	go traced().StartConsuming("", 1, worker)
	task.UUID, task.Name, task.Args = "o-1", "bill", []tasks.Arg{{Type: "string", Value: "tea"}}
	s.ok(traced().Publish(s.ctx, task))
	return task
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
