package attributes_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/mqtrace/mqtrace/amqptrace"
	"github.com/mqtrace/mqtrace/carrier"
	"github.com/mqtrace/mqtrace/internal/amqpbroker"
)

// Names in the broker, and one that a broker generated for a queue without a name.
const (
	exchange = "orders"
	queue    = "billing"
	dead     = "billing.dead"
	replies  = "amq.rabbitmq.reply-to"
	key      = "order.created"
	patience = 20 * time.Second
)

var ctx = context.Background()

// An amqpScene is a broker, what is declared in it, and the telemetry recorded.
type amqpScene struct {
	*testing.T
	telemetry

	broker *amqpbroker.Broker
	conn   *amqp.Connection
	ch     *amqp.Channel

	exceptions set
}

func TestAMQP(t *testing.T) {
	t.Parallel()
	p := readPage(t)
	s := newAMQPScene(t)
	s.publish()
	s.fail()
	s.get()
	s.process()
	for _, name := range []string{queue, "amq.gen-1", replies} {
		s.processOf(name)
	}
	s.batch()
	e := newEmitted()
	e.addSpans(s.telemetry, amqptrace.ScopeName, amqpSpan)
	e.addMetrics(t, s.reader)
	for name := range s.headers() {
		e.headers[name] = true
	}
	e.check(t, p, "amqptrace")
	listed := make(set)
	for _, r := range p["exceptions"] {
		listed[word(r["event"])+" "+r["severity"]] = true
	}
	same(t, "exceptions", listed, s.exceptions)
}

// amqpSpan returns the page's name for a span.
func amqpSpan(s sdktrace.ReadOnlySpan) string {
	switch valueOf(s, "messaging.operation.type") {
	case "send":
		return "publish"
	case "receive":
		return "get"
	case "settle":
		return "settle"
	default:
		if valueOf(s, "messaging.batch.message_count") != "" {
			return "process batch"
		}
		return "process"
	}
}

func newAMQPScene(t *testing.T) *amqpScene {
	t.Helper()
	s := &amqpScene{T: t, telemetry: newTelemetry(), exceptions: make(set)}
	var err error
	s.broker, err = amqpbroker.Start()
	s.ok(err)
	t.Cleanup(func() { s.broker.Close() })
	s.conn, err = amqp.Dial(s.broker.URL())
	s.ok(err)
	t.Cleanup(func() { s.conn.Close() })
	s.ch = s.channel()
	s.ok(s.ch.Confirm(false))
	s.ok(s.ch.ExchangeDeclare(exchange, amqp.ExchangeTopic, false, false, false, false, nil))
	_, err = s.ch.QueueDeclare(dead, false, false, false, false, nil)
	s.ok(err)
	_, err = s.ch.QueueDeclare(queue, false, false, false, false,
		amqp.Table{"x-dead-letter-exchange": "", "x-dead-letter-routing-key": dead})
	s.ok(err)
	s.ok(s.ch.QueueBind(queue, key, exchange, false, nil))
	return s
}

func (s *amqpScene) ok(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

func (s *amqpScene) is(err, target error) {
	s.Helper()
	if !errors.Is(err, target) {
		s.Errorf("error %v, want %v", err, target)
	}
}

func (s *amqpScene) channel() *amqp.Channel {
	s.Helper()
	ch, err := s.conn.Channel()
	s.ok(err)
	return ch
}

// opts returns all options that add to what is emitted.
func (s *amqpScene) opts() []amqptrace.Option {
	return []amqptrace.Option{
		amqptrace.WithTracerProvider(s.traces), amqptrace.WithMeterProvider(s.meters), amqptrace.WithPropagators(propagator),
		amqptrace.WithServer("rabbit.internal", 5672), amqptrace.WithQueueTime(), amqptrace.WithBodySize(),
		amqptrace.WithSettleSpans(), amqptrace.WithEmptyReceives(), amqptrace.WithConnection(s.conn),
		amqptrace.WithExceptions(func(_ context.Context, e amqptrace.Exception) {
			s.exceptions[fmt.Sprintf("%s %d", e.Event, e.Severity)] = true
		}),
	}
}

func (s *amqpScene) publisher(ch amqptrace.Channel) *amqptrace.Publisher {
	return amqptrace.NewPublisher(ch, s.opts()...)
}

func (s *amqpScene) consumer(name string) *amqptrace.Consumer {
	return amqptrace.NewConsumer(name, s.opts()...)
}

var message = amqp.Publishing{MessageId: "m1", CorrelationId: "c1", Body: []byte("{}")}

// take takes the next message from a queue, without a span.
func (s *amqpScene) take(name string) amqp.Delivery {
	s.Helper()
	for began := time.Now(); time.Since(began) < patience; time.Sleep(time.Millisecond) {
		d, ok, err := s.ch.Get(name, false)
		s.ok(err)
		if ok {
			return d
		}
	}
	s.Fatal("no message in ", name)
	return amqp.Delivery{}
}

// headers returns the headers of a message with every option on.
func (s *amqpScene) headers() amqp.Table {
	_, err := s.ch.QueuePurge(queue, false)
	s.ok(err)
	ctx := amqptrace.AskForNewTrace(withBaggage(s.T, s.traces))
	s.ok(s.publisher(s.ch).PublishConfirmed(ctx, exchange, key, true, false, message))
	return s.take(queue).Headers
}

// traced returns the headers of a message with a trace of its own.
func (s *amqpScene) traced() amqp.Table {
	ctx, span := s.traces.Tracer("test").Start(ctx, "caller")
	defer span.End()
	return amqp.Table(carrier.Table(nil).Inject(ctx, propagator))
}
