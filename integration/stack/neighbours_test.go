//go:build stack

package stack_test

import (
	"context"
	"strconv"
	"syscall"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	oteltrace "go.opentelemetry.io/otel/trace"

	"github.com/mqtrace/mqtrace/amqptrace"
	"github.com/mqtrace/mqtrace/examples/order-notification/events"
)

const sigterm = syscall.SIGTERM

type spanContext = oteltrace.SpanContext

func itoa(n int) string { return strconv.Itoa(n) }

// neighbours are the company's other programs. They use the same Collector and do what the
// example takes care not to do, such as tracing health checks, or leave messages waiting.
type neighbours struct {
	t      *testing.T
	sdk    *sdktrace.TracerProvider
	tracer oteltrace.Tracer

	channel  *amqp.Channel
	topology events.Topology
	prefix   string

	noise                 []string // ids of traces
	failingNoise          []string
	poison, expired, late []string
	waitingSince          []oteltrace.SpanContext // of the senders of waiting messages
}

func newNeighbours(t *testing.T, s *services, otlp string) *neighbours {
	t.Helper()
	exporter, err := otlptracehttp.New(t.Context(), otlptracehttp.WithEndpointURL(otlp+"/v1/traces"))
	if err != nil {
		t.Fatal(err)
	}
	conn, err := amqp.Dial(s.AMQPURL)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	n := &neighbours{t: t, topology: s.Topology(), prefix: s.Prefix}
	if n.channel, err = conn.Channel(); err != nil {
		t.Fatal(err)
	}
	n.sdk = sdktrace.NewTracerProvider(sdktrace.WithBatcher(exporter, sdktrace.WithBlocking()),
		sdktrace.WithResource(resource.NewSchemaless(semconv.ServiceName("neighbours"))))
	n.tracer = n.sdk.Tracer("neighbours")
	return n
}

func (n *neighbours) options(more ...amqptrace.Option) []amqptrace.Option {
	return append([]amqptrace.Option{
		amqptrace.WithTracerProvider(n.sdk), amqptrace.WithPropagators(propagation.TraceContext{}),
	}, more...)
}

// root makes a trace of two spans, in the past, and returns its id.
func (n *neighbours) root(name string, took time.Duration, status codes.Code, attributes ...attribute.KeyValue) oteltrace.SpanContext {
	end := time.Now()
	ctx, root := n.tracer.Start(context.Background(), name, oteltrace.WithTimestamp(end.Add(-took)),
		oteltrace.WithSpanKind(oteltrace.SpanKindServer), oteltrace.WithAttributes(attributes...))
	_, child := n.tracer.Start(ctx, "look", oteltrace.WithTimestamp(end.Add(-took)))
	child.SetStatus(status, "")
	child.End(oteltrace.WithTimestamp(end))
	root.End(oteltrace.WithTimestamp(end))
	return root.SpanContext()
}

// makeNoise traces health checks, scrapes, introspection and polls. Some fail and some
// hang.
func (n *neighbours) makeNoise(each int) {
	for _, probe := range []attribute.KeyValue{
		attribute.String("url.path", "/healthz"),
		attribute.String("http.target", "/metrics"),
		attribute.String("graphql.operation.name", "IntrospectionQuery"),
		attribute.String("db.system.name", "redis"),
		attribute.String("db.system", "redis"),
	} {
		for range each {
			id := n.root("probe", time.Millisecond, codes.Unset, probe).TraceID()
			n.noise = append(n.noise, id.String())
		}
		n.failingNoise = append(n.failingNoise,
			n.root("probe that fails", time.Millisecond, codes.Error, probe).TraceID().String(),
			n.root("probe that hangs", slow+time.Second, codes.Unset, probe).TraceID().String())
	}
}

// publish publishes in a new trace, and returns it.
func (n *neighbours) publish(publisher *amqptrace.Publisher, exchange, key, body string) oteltrace.SpanContext {
	n.t.Helper()
	ctx, span := n.tracer.Start(context.Background(), "import orders")
	defer span.End()
	err := publisher.PublishWithContext(ctx, exchange, key, false, false, amqp.Publishing{Body: []byte(body)})
	if err != nil {
		n.t.Fatal(err)
	}
	return span.SpanContext()
}

// sendPoison publishes unreadable order events.
func (n *neighbours) sendPoison(many int) {
	publisher := amqptrace.NewPublisher(n.channel, n.options()...)
	for range many {
		id := n.publish(publisher, n.topology.Exchange, events.OrderCreatedKey, "no JSON").TraceID()
		n.poison = append(n.poison, id.String())
	}
}

// letExpire lets messages be dead-lettered without a failure.
func (n *neighbours) letExpire(many int) {
	queue := n.queue("expiring", amqp.Table{
		"x-message-ttl": int32(1), "x-dead-letter-exchange": n.topology.DeadLetterExchange,
	})
	publisher := amqptrace.NewPublisher(n.channel, n.options()...)
	for range many {
		n.expired = append(n.expired, n.publish(publisher, "", queue, "{}").TraceID().String())
	}
}

// letWait publishes messages whose consumer starts only when they have waited longer than
// the Collector waits for a trace, and so starts new traces. It returns when all are
// consumed.
func (n *neighbours) letWait(many int) {
	n.t.Helper()
	queue := n.queue("waiting", nil)
	publisher := amqptrace.NewPublisher(n.channel, n.options(amqptrace.WithQueueTime())...)
	for range many {
		n.waitingSince = append(n.waitingSince, n.publish(publisher, "", queue, "{}"))
	}
	time.Sleep(time.Duration(queueBound*float64(time.Second)) + 200*time.Millisecond)
	handle := amqptrace.NewConsumer(queue, n.options(amqptrace.WithQueueTime(),
		amqptrace.WithRelation(amqptrace.ContinueWithin(time.Second/2)))...).
		Handler(func(_ context.Context, d amqp.Delivery) error { return d.Ack(false) })
	for range many {
		eventually(n.t, "a message has come", func() bool {
			d, ok, err := n.channel.Get(queue, false)
			if err != nil {
				n.t.Fatal(err)
			}
			return ok && handle(context.Background(), d) == nil
		})
	}
}

func (n *neighbours) queue(name string, arguments amqp.Table) string {
	n.t.Helper()
	name = n.prefix + name
	if _, err := n.channel.QueueDeclare(name, false, false, true, false, arguments); err != nil {
		n.t.Fatal(err)
	}
	return name
}

// failLate ends a trace, seemingly well, in which something fails later.
func (n *neighbours) failLate(root oteltrace.SpanContext) {
	_, span := n.tracer.Start(oteltrace.ContextWithRemoteSpanContext(context.Background(), root), "late")
	span.SetStatus(codes.Error, "too late")
	span.End()
	n.late = append(n.late, root.TraceID().String())
}

// leave sends the remaining spans.
func (n *neighbours) leave() {
	n.t.Helper()
	if err := n.sdk.Shutdown(context.Background()); err != nil {
		n.t.Error(err)
	}
}
