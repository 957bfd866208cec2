//go:build woven

package woven

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	amqp "github.com/rabbitmq/amqp091-go"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/mqtrace/mqtrace/internal/amqpbroker"
)

const patience = 20 * time.Second

// recorder keeps the spans of the test that runs. It is set before the first test, as
// publishers keep the provider that they were made with.
var recorder = new(spans)

type spans struct {
	mu    sync.Mutex
	ended []sdk.ReadOnlySpan
	open  map[trace.SpanID]string
}

func (s *spans) OnStart(_ context.Context, span sdk.ReadWriteSpan) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open[span.SpanContext().SpanID()] = span.Name()
}

func (s *spans) OnEnd(span sdk.ReadOnlySpan) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, span.SpanContext().SpanID())
	s.ended = append(s.ended, span)
}

func (*spans) Shutdown(context.Context) error   { return nil }
func (*spans) ForceFlush(context.Context) error { return nil }

func TestMain(m *testing.M) {
	recorder.open = make(map[trace.SpanID]string)
	otel.SetTracerProvider(sdk.NewTracerProvider(sdk.WithSpanProcessor(recorder)))
	otel.SetTextMapPropagator(propagation.NewCompositeTextMapPropagator(propagation.TraceContext{}, propagation.Baggage{}))
	os.Exit(m.Run())
}

// scene is a queue of its own on the in-process broker, or on that of MQTRACE_AMQP_URL.
type scene struct {
	*testing.T

	ch    *amqp.Channel
	queue string
	redis string
}

func play(t *testing.T) *scene {
	t.Helper()
	recorder.mu.Lock()
	recorder.ended = nil
	clear(recorder.open)
	recorder.mu.Unlock()
	url := os.Getenv("MQTRACE_AMQP_URL")
	if url == "" {
		b, err := amqpbroker.Start()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = b.Close() })
		url = b.URL()
	}
	conn, err := amqp.Dial(url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	ch, err := conn.Channel()
	if err != nil {
		t.Fatal(err)
	}
	s := &scene{T: t, ch: ch, queue: fmt.Sprintf("woven-%d-%d", os.Getpid(), time.Now().UnixNano()), redis: os.Getenv("MQTRACE_REDIS_ADDR")}
	if s.redis == "" {
		s.redis = miniredis.RunT(t).Addr()
	}
	if _, err := ch.QueueDeclare(s.queue, false, true, false, false, nil); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if ch, err := conn.Channel(); err == nil {
			_, _ = ch.QueueDelete(s.queue, false, false, false)
		}
	})
	return s
}

func (s *scene) ok(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

// put publishes messages, each in a new trace with the span "caller".
func (s *scene) put(ids ...string) {
	s.Helper()
	for _, id := range ids {
		ctx, span := otel.Tracer("test").Start(context.Background(), "caller")
		s.ok(s.ch.PublishWithContext(ctx, "", s.queue, false, false, amqp.Publishing{MessageId: id, Body: []byte(id)}))
		span.End()
	}
}

func (s *scene) consume(autoAck bool) <-chan amqp.Delivery {
	s.Helper()
	d, err := s.ch.Consume(s.queue, s.queue, autoAck, false, false, false, nil)
	s.ok(err)
	return d
}

// settle waits until the consumer is done with the messages.
func (s *scene) settle() {
	last, since := -1, time.Now()
	for time.Since(since) < 100*time.Millisecond {
		recorder.mu.Lock()
		n := len(recorder.ended)
		recorder.mu.Unlock()
		if n != last {
			last, since = n, time.Now()
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// consumeBy runs a loop over deliveries, publishes messages, and closes the channel once the
// loop has processed them.
func (s *scene) consumeBy(autoAck bool, loop func(<-chan amqp.Delivery), ids ...string) {
	s.Helper()
	deliveries, finished := s.consume(autoAck), make(chan bool)
	go func() {
		defer close(finished)
		loop(deliveries)
	}()
	s.put(ids...)
	s.settle()
	s.ok(s.ch.Close())
	<-finished
}

// reply publishes to where nobody consumes, without a context.
func (s *scene) reply() error {
	return s.ch.Publish("", s.queue+"-replies", false, false, amqp.Publishing{})
}

// want waits for the spans and compares their outline.
func (s *scene) want(outline string) {
	s.Helper()
	outline = strings.TrimPrefix(strings.ReplaceAll(outline, "\n\t\t", "\n"), "\n")
	outline = strings.TrimRight(outline, "\n\t")
	n := len(strings.Split(strings.TrimSpace(outline), "\n"))
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		recorder.mu.Lock()
		ended := len(recorder.ended)
		recorder.mu.Unlock()
		if ended >= n {
			break
		}
	}
	time.Sleep(30 * time.Millisecond) // for what should not be there
	recorder.mu.Lock()
	defer recorder.mu.Unlock()
	if len(recorder.open) > 0 {
		s.Errorf("open: %v", recorder.open)
	}
	if got := drawn(recorder.ended, s.queue); strings.TrimSpace(got) != strings.TrimSpace(outline) {
		s.Errorf("got\n%s\nwant\n%s", got, outline)
	}
}

// drawn is an outline of spans in the order in which they started.
func drawn(ended []sdk.ReadOnlySpan, queue string) string {
	ended = slices.Clone(ended)
	slices.SortStableFunc(ended, func(a, b sdk.ReadOnlySpan) int {
		return cmp.Or(a.StartTime().Compare(b.StartTime()))
	})
	known := make(map[trace.SpanID]bool)
	for _, s := range ended {
		known[s.SpanContext().SpanID()] = true
	}
	var out bytes.Buffer
	var draw func(of trace.SpanID, depth int)
	draw = func(of trace.SpanID, depth int) {
		for _, s := range ended {
			parent := s.Parent().SpanID()
			if parent != of && (of.IsValid() || known[parent]) || !of.IsValid() && known[parent] {
				continue
			}
			fmt.Fprintf(&out, "%s%s", strings.Repeat("  ", depth), strings.ReplaceAll(s.Name(), queue, "Q"))
			for _, a := range s.Attributes() {
				switch a.Key {
				case "messaging.message.id", "mqtrace.settlement", "error.type":
					if len(a.Value.AsString()) == len("00000000-0000-0000-0000-000000000000") {
						continue // a task's
					}
					out.WriteString(" " + a.Value.AsString())
				}
			}
			if s.Status().Code == codes.Error {
				out.WriteString(" ERROR")
			}
			out.WriteByte('\n')
			draw(s.SpanContext().SpanID(), depth+1)
		}
	}
	draw(trace.SpanID{}, 0)
	return out.String()
}

func recorded() []sdk.ReadOnlySpan {
	recorder.mu.Lock()
	defer recorder.mu.Unlock()
	return slices.Clone(recorder.ended)
}

func attributeOf(s sdk.ReadOnlySpan, key attribute.Key) attribute.Value {
	for _, a := range s.Attributes() {
		if a.Key == key {
			return a.Value
		}
	}
	return attribute.Value{}
}
