package tap_test

import (
	"context"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/mqtrace/mqtrace/cmd/mqtrace/internal/firehosetest"
	"github.com/mqtrace/mqtrace/cmd/mqtrace/internal/tap"
)

// The settings of a load.
const (
	loadMessages = 20_000 // at a time
	loadBody     = 512
	loadInFlight = 256
)

// BenchmarkFirehose is what the firehose costs a publisher with a consumer: messages a
// second, from publishing to confirmation and delivery, while the firehose is off, on with
// nobody listening, and on with a tap at its default rate. They take turns, so that other
// work on the machine affects all three.
//
//	go test -run '^$' -bench Firehose -benchtime 5x ./cmd/mqtrace/internal/tap
func BenchmarkFirehose(b *testing.B) {
	s := firehosetest.One(b)
	l := newLoad(b, s.URL)
	var off, on, tapped time.Duration
	var stats tap.Stats
	l.run(b) // warm up
	for b.Loop() {
		s.Trace(b, false)
		off += l.run(b)
		s.Trace(b, true)
		on += l.run(b)
		end := startBenchTap(b, s.URL)
		tapped += l.run(b)
		last := end()
		stats.Seen += last.Seen
		stats.Spans += last.Spans
	}
	total := float64(b.N * loadMessages)
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(total/off.Seconds(), "off-msgs/s")
	b.ReportMetric(total/on.Seconds(), "on-msgs/s")
	b.ReportMetric(total/tapped.Seconds(), "tapped-msgs/s")
	b.ReportMetric(off.Seconds()/on.Seconds(), "on/off")
	b.ReportMetric(off.Seconds()/tapped.Seconds(), "tapped/off")
	b.ReportMetric(float64(stats.Seen)/total, "records/msg")
	b.ReportMetric(float64(stats.Spans)/tapped.Seconds(), "spans/s")
}

// load publishes to a queue of its own, which it consumes on another connection.
type load struct {
	ch         *amqp.Channel
	queue      string
	deliveries <-chan amqp.Delivery
}

func newLoad(b *testing.B, url string) *load {
	b.Helper()
	channel := func() *amqp.Channel {
		conn, err := amqp.Dial(url)
		must(b, err)
		b.Cleanup(func() { _ = conn.Close() })
		ch, err := conn.Channel()
		must(b, err)
		return ch
	}
	consumer := channel()
	q, err := consumer.QueueDeclare("", false, false, true, false, nil)
	must(b, err)
	l := &load{ch: channel(), queue: q.Name}
	l.deliveries, err = consumer.Consume(q.Name, "", true, false, false, false, nil)
	must(b, err)
	must(b, l.ch.Confirm(false))
	return l
}

// run returns how long it took until all messages were confirmed and delivered.
func (l *load) run(b *testing.B) time.Duration {
	b.Helper()
	start := time.Now()
	msg := amqp.Publishing{Headers: sampled(1), Body: make([]byte, loadBody)}
	pending := make(chan *amqp.DeferredConfirmation, loadInFlight)
	failed := make(chan error, 1)
	go func() {
		defer close(pending)
		for range loadMessages {
			confirmation, err := l.ch.PublishWithDeferredConfirmWithContext(b.Context(), "", l.queue, false, false, msg)
			if err != nil {
				failed <- err
				return
			}
			pending <- confirmation
		}
	}()
	go func() {
		for confirmation := range pending {
			confirmation.Wait()
		}
		close(failed)
	}()
	for range loadMessages {
		<-l.deliveries
	}
	must(b, <-failed)
	return time.Since(start)
}

func startBenchTap(b *testing.B, url string) (end func() tap.Stats) {
	b.Helper()
	conn, err := amqp.Dial(url)
	must(b, err)
	processor := tap.NewProcessor(tracetest.NewNoopExporter(), func(err error) { b.Error(err) })
	provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(processor))
	t, err := tap.Open(conn, tap.Config{TracerProvider: provider, Keys: []string{"#"}, MaxRate: 1000})
	must(b, err)
	ctx, cancel := context.WithCancel(b.Context())
	done := make(chan error, 1)
	go func() { done <- t.Run(ctx) }()
	return func() tap.Stats {
		cancel()
		must(b, <-done)
		stats := t.Stats()
		t.Close()
		_ = conn.Close()
		_ = provider.Shutdown(context.Background())
		return stats
	}
}

func must(b *testing.B, err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}
