package tap_test

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.uber.org/goleak"

	"github.com/mqtrace/mqtrace/cmd/mqtrace/internal/firehosetest"
	"github.com/mqtrace/mqtrace/cmd/mqtrace/internal/tap"
)

func TestMain(m *testing.M) {
	// What a developer's shell says about telemetry is not part of the tests.
	for _, pair := range os.Environ() {
		if name, _, _ := strings.Cut(pair, "="); strings.HasPrefix(name, "OTEL_") {
			_ = os.Unsetenv(name)
		}
	}
	goleak.VerifyTestMain(m, goleak.Cleanup(firehosetest.Exit))
}

// patience is how long tests wait for what they expect, to allow for a busy machine.
const patience = time.Minute

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// scene is a tap on a broker, and a channel to publish with.
type scene struct {
	*tracetest.SpanRecorder

	t   *testing.T
	s   firehosetest.Server
	tap *tap.Tap
	ch  *amqp.Channel
	// from43 reports whether the broker is RabbitMQ 4.3 or newer, or behaves like it.
	from43 bool
}

// onFirehose runs a test on both brokers.
func onFirehose(t *testing.T, cfg tap.Config, test func(t *testing.T, s *scene)) {
	t.Helper()
	firehosetest.Each(t, func(t *testing.T, server firehosetest.Server) {
		cfg := cfg
		dial := func() *amqp.Connection {
			conn, err := amqp.Dial(server.URL)
			ok(t, err)
			t.Cleanup(func() { _ = conn.Close() })
			return conn
		}
		s := &scene{SpanRecorder: tracetest.NewSpanRecorder(), t: t, s: server}
		if cfg.TracerProvider == nil {
			cfg.TracerProvider = sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(s.SpanRecorder))
		}
		if cfg.Keys == nil {
			cfg.Keys = []string{"#"}
		}
		if cfg.MaxRate == 0 {
			cfg.MaxRate = 1000
		}
		u, err := url.Parse(server.URL)
		ok(t, err)
		cfg.ServerAddress, cfg.ServerPort = u.Hostname(), 5672
		s.tap, err = tap.Open(dial(), cfg)
		ok(t, err)
		t.Cleanup(s.tap.Close)
		conn := dial()
		version, named := conn.Properties["version"].(string)
		s.from43 = !named || version >= "4.3" // 3.10 is the oldest that is tested
		s.ch, err = conn.Channel()
		ok(t, err)
		test(t, s)
	})
}

// turnOn turns the firehose on.
func (s *scene) turnOn() {
	s.t.Helper()
	s.s.Trace(s.t, true)
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	ok(s.t, s.tap.AwaitOn(ctx))
}

// run runs the tap until it has seen n records.
func (s *scene) run(n uint64) tap.Stats {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- s.tap.Run(ctx) }()
	for ctx.Err() == nil && s.tap.Stats().Seen < n {
		time.Sleep(5 * time.Millisecond)
	}
	cancel()
	ok(s.t, <-done)
	stats := s.tap.Stats()
	if stats.Seen != n {
		s.t.Errorf("seen %d records, want %d: %v", stats.Seen, n, stats)
	}
	return stats
}

func (s *scene) publish(exchange, key string, headers amqp.Table) {
	s.t.Helper()
	ok(s.t, s.ch.PublishWithContext(s.t.Context(), exchange, key, false, false, amqp.Publishing{
		Headers: headers, MessageId: "m1", CorrelationId: "c1", Body: []byte("x"),
	}))
}

func (s *scene) queue(name string, args amqp.Table) string {
	s.t.Helper()
	q, err := s.ch.QueueDeclare(name, false, false, true, false, args)
	ok(s.t, err)
	return q.Name
}

func (s *scene) get(queue string) amqp.Delivery {
	s.t.Helper()
	for began := time.Now(); time.Since(began) < patience; time.Sleep(10 * time.Millisecond) {
		d, found, err := s.ch.Get(queue, false)
		ok(s.t, err)
		if found {
			return d
		}
	}
	s.t.Fatalf("nothing comes to %s", queue)
	return amqp.Delivery{}
}

// Whatever the tap is bound to, it gets no more than it requests.
func TestKeys(t *testing.T) {
	onFirehose(t, tap.Config{Keys: []string{"deliver.wanted"}}, func(t *testing.T, s *scene) {
		s.turnOn()
		for _, q := range []string{"wanted", "unwanted"} {
			s.queue(q, nil)
			s.publish("", q, nil)
			ok(t, s.get(q).Ack(false))
		}
		if stats := s.run(1); stats.Delivered != 1 || stats.Published != 0 {
			t.Errorf("stats %v", stats)
		}
	})
}

func TestLost(t *testing.T) {
	onFirehose(t, tap.Config{}, func(t *testing.T, s *scene) {
		done := make(chan error, 1)
		go func() { done <- s.tap.Run(t.Context()) }()
		s.tap.Close()
		select {
		case err := <-done:
			if err == nil || !strings.Contains(err.Error(), "connection to RabbitMQ is lost") {
				t.Errorf("error %v", err)
			}
		case <-time.After(patience):
			t.Error("goes on without a channel")
		}
	})
}

// A tap keeps up with more records than its queue may hold, and loses none.
func TestMany(t *testing.T) {
	const messages = 6000 // twice as many records, more than the queue may hold
	var last tap.Stats
	cfg := tap.Config{MaxRate: 10, Interval: 10 * time.Millisecond, Report: func(s tap.Stats) { last = s }}
	onFirehose(t, cfg, func(t *testing.T, s *scene) {
		s.turnOn()
		q := s.queue("", nil)
		deliveries, err := s.ch.Consume(q, "", true, false, false, false, nil)
		ok(t, err)
		go func() {
			for range messages {
				s.publish("", q, sampled(1))
				<-deliveries // one after the other, not to race against RabbitMQ
			}
		}()
		stats := s.run(2 * messages)
		if stats.OverRate+stats.Spans != stats.Seen || stats.OverRate < messages || stats.Spans == 0 {
			t.Errorf("stats %v", stats)
		}
		if last.Seen == 0 || last.Backlog >= last.BacklogMax {
			t.Errorf("reported %v", last)
		}
	})
}

// sampled returns the headers of a message that span n of the trace sent.
func sampled(n int) amqp.Table {
	return amqp.Table{"traceparent": fmt.Sprintf("00-0af7651916cd43dd8448eb211c80319c-%016x-01", n), "tracestate": "v=1"}
}
