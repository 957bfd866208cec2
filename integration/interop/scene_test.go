//go:build interop

package interop_test

import (
	"context"
	"fmt"
	"maps"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/propagation"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/mqtrace/mqtrace/amqptrace"
)

var propagator = propagation.NewCompositeTextMapPropagator(propagation.TraceContext{}, propagation.Baggage{})

// scene is a channel to a broker and what amqptrace has recorded on it.
type scene struct {
	t       *testing.T
	url     string
	release string // such as "4.3"; those that are tested can be compared as text
	conn    *amqp.Connection
	ch      *amqp.Channel
	spans   *tracetest.InMemoryExporter
	opts    []amqptrace.Option
}

func newScene(t *testing.T, url string) *scene {
	t.Helper()
	conn, err := amqp.Dial(url)
	if err != nil {
		t.Fatal("the broker does not answer: ", err)
	}
	ch, err := conn.Channel()
	if err != nil {
		t.Fatal(err)
	}
	if err := ch.Confirm(false); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	spans := tracetest.NewInMemoryExporter()
	return &scene{t: t, url: url, release: releaseOf(conn), conn: conn, ch: ch, spans: spans, opts: []amqptrace.Option{
		amqptrace.WithTracerProvider(sdktrace.NewTracerProvider(sdktrace.WithSyncer(spans))),
		amqptrace.WithPropagators(propagator), amqptrace.WithServer("127.0.0.1", 5672),
	}}
}

func releaseOf(conn *amqp.Connection) string {
	version, _ := conn.Properties["version"].(string)
	major, rest, _ := strings.Cut(version, ".")
	minor, _, _ := strings.Cut(rest, ".")
	return major + "." + minor
}

func sharedBroker(t *testing.T) *scene {
	t.Helper()
	url := os.Getenv("MQTRACE_AMQP_URL")
	if url == "" {
		t.Fatal("MQTRACE_AMQP_URL names no RabbitMQ")
	}
	return newScene(t, url)
}

// patience is how long tests wait for what they expect, to allow for a busy machine.
const patience = time.Minute

var sequence atomic.Int64

// queue declares a queue that is deleted after the test.
func (s *scene) queue(arguments amqp.Table) string {
	s.t.Helper()
	name := fmt.Sprintf("mqtrace-interop-%d-%d", os.Getpid(), sequence.Add(1))
	if _, err := s.ch.QueueDeclare(name, true, false, false, false, arguments); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _, _ = s.ch.QueueDelete(name, false, false, false) })
	return name
}

// await waits until a queue has a message for the next consumer.
func (s *scene) await(queue string) {
	s.t.Helper()
	for began := time.Now(); time.Since(began) < patience; time.Sleep(5 * time.Millisecond) {
		q, err := s.ch.QueueDeclarePassive(queue, true, false, false, false, nil)
		if err != nil {
			s.t.Fatal(err)
		}
		if q.Messages > 0 {
			return
		}
	}
	s.t.Fatalf("nothing came to %s for %v", queue, patience)
}

// publish sends a message in the trace of sent and returns its span.
func (s *scene) publish(exchange, key string, headers amqp.Table) tracetest.SpanStub {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(propagator.Extract(context.Background(), sent), patience)
	defer cancel()
	msg := amqp.Publishing{Headers: headers, Body: []byte("order"), MessageId: "m1", CorrelationId: "c1"}
	if err := amqptrace.NewPublisher(s.ch, s.opts...).PublishConfirmed(ctx, exchange, key, false, false, msg); err != nil {
		s.t.Fatal(err)
	}
	return s.span()
}

// span returns the one span recorded since the last call.
func (s *scene) span() tracetest.SpanStub {
	s.t.Helper()
	spans := s.spans.GetSpans()
	s.spans.Reset()
	if len(spans) != 1 {
		s.t.Fatalf("%d spans, want 1: %v", len(spans), spans)
	}
	return spans[0]
}

// received is what a consumer with amqptrace gets of a message.
type received struct {
	headers amqp.Table
	body    string
	span    tracetest.SpanStub
	baggage baggage.Baggage
}

// consume processes one message and settles it.
func (s *scene) consume(queue string, settle func(amqp.Delivery) error, more ...amqptrace.Option) (got received) {
	s.t.Helper()
	return s.process(queue, s.get(queue), settle, more...)
}

func (s *scene) process(queue string, d amqp.Delivery, settle func(amqp.Delivery) error, more ...amqptrace.Option) (got received) {
	s.t.Helper()
	handle := amqptrace.NewConsumer(queue, append(more, s.opts...)...).Handler(func(ctx context.Context, d amqp.Delivery) error {
		got.headers, got.body, got.baggage = d.Headers, string(d.Body), baggage.FromContext(ctx)
		return settle(d)
	})
	if err := handle(context.Background(), d); err != nil {
		s.t.Fatal(err)
	}
	got.span = s.span()
	return got
}

// get waits for a message.
func (s *scene) get(queue string) amqp.Delivery {
	s.t.Helper()
	for began := time.Now(); time.Since(began) < patience; time.Sleep(5 * time.Millisecond) {
		d, ok, err := s.ch.Get(queue, false)
		if err != nil {
			s.t.Fatal(err)
		}
		if ok {
			return d
		}
	}
	s.t.Fatalf("nothing came to %s for %v", queue, patience)
	return amqp.Delivery{}
}

func ack(d amqp.Delivery) error { return d.Ack(false) }

// survived judges what of sent has reached a consumer with amqptrace, from the span with
// that id.
func (got received) survived(parent trace.SpanID) (traceparent, tracestate, baggage, kind string) {
	parented := got.span.SpanContext.TraceID().String() == sentTrace && got.span.Parent.SpanID() == parent
	linked := len(got.span.Links) == 1 && got.span.Links[0].SpanContext.SpanID() == parent &&
		got.span.Links[0].SpanContext.TraceID().String() == sentTrace
	members := tags(got.baggage.String())
	switch {
	case parented && linked:
		traceparent = "parent and link"
	case linked:
		traceparent = "link"
	default:
		traceparent = "lost"
	}
	header, ok := got.headers["traceparent"]
	if !ok {
		header = got.headers["x-opt-traceparent"] // an annotation of AMQP 1.0
	}
	tracestate = lostUnless(linked && got.span.Links[0].SpanContext.TraceState().String() == sent["tracestate"])
	return traceparent, tracestate, lostUnless(maps.Equal(members, bag)), wireType(header)
}

// tags reads baggage, whose members have no order.
func tags(text string) map[string]string {
	b, err := baggage.Parse(text)
	if err != nil {
		return nil
	}
	members := make(map[string]string)
	for _, m := range b.Members() {
		members[m.Key()] = m.Value()
	}
	return members
}

func lostUnless(survived bool) string {
	if survived {
		return "yes"
	}
	return "lost"
}

// wireType returns the letter that AMQP's grammar has for a value that amqp091-go has read.
func wireType(v any) string {
	switch v.(type) {
	case nil:
		return "–"
	case string:
		return "`S` string"
	case []byte:
		return "`x` bytes"
	default:
		return fmt.Sprintf("%T", v)
	}
}

func attributes(kvs []attribute.KeyValue) map[string]any {
	m := make(map[string]any)
	for _, kv := range kvs {
		m[string(kv.Key)] = kv.Value.AsInterface()
	}
	return m
}
