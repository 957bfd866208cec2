package probe_test

import (
	"context"
	"fmt"
	"os"
	"sync/atomic"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/redis/go-redis/v9"
	"go.uber.org/goleak"

	"github.com/mqtrace/mqtrace/cmd/mqtrace/internal/probe"
	"github.com/mqtrace/mqtrace/internal/amqpbroker"
)

func TestMain(m *testing.M) {
	redis.SetLogger(silent{}) // the errors that tests cause are returned to them
	goleak.VerifyTestMain(m)
}

type silent struct{}

func (silent) Printf(context.Context, string, ...any) {}

// onBroker runs a test on the in-process broker and, if MQTRACE_AMQP_URL names one, on a
// real one, which must answer.
func onBroker(t *testing.T, test func(t *testing.T, s *scene)) {
	t.Helper()
	t.Run("amqpbroker", func(t *testing.T) {
		b, err := amqpbroker.Start()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = b.Close() })
		test(t, newScene(t, b.URL()))
	})
	if url := os.Getenv("MQTRACE_AMQP_URL"); url != "" {
		t.Run("rabbitmq", func(t *testing.T) { test(t, newScene(t, url)) })
	}
}

// scene is a connection for the probe, a channel for everything else, and unique names.
type scene struct {
	t      *testing.T
	conn   *amqp.Connection
	ch     *amqp.Channel
	prefix string
}

var scenes atomic.Int64

func newScene(t *testing.T, url string) *scene {
	t.Helper()
	dial := func() *amqp.Connection {
		conn, err := amqp.Dial(url)
		ok(t, err)
		t.Cleanup(func() { _ = conn.Close() })
		return conn
	}
	ch, err := dial().Channel()
	ok(t, err)
	return &scene{t, dial(), ch, fmt.Sprintf("mqtrace-test-%d-%d-", os.Getpid(), scenes.Add(1))}
}

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (s *scene) queue(name string, args amqp.Table) string {
	s.t.Helper()
	name = s.prefix + name
	_, err := s.ch.QueueDeclare(name, true, false, false, false, args)
	ok(s.t, err)
	s.t.Cleanup(func() { _, _ = s.ch.QueueDelete(name, false, false, false) })
	return name
}

func (s *scene) exchange(name string, queues ...string) string {
	s.t.Helper()
	name = s.prefix + name
	ok(s.t, s.ch.ExchangeDeclare(name, "topic", false, false, false, false, nil))
	s.t.Cleanup(func() { _ = s.ch.ExchangeDelete(name, false, false) })
	for _, q := range queues {
		ok(s.t, s.ch.QueueBind(q, "#", name, false, nil))
	}
	return name
}

func (s *scene) publish(exchange, key string, msg amqp.Publishing) {
	s.t.Helper()
	ok(s.t, s.ch.PublishWithContext(context.Background(), exchange, key, false, false, msg))
}

// middleman forwards the messages of a queue to another exchange, with their headers as
// changed by handle.
func (s *scene) middleman(from, exchange, key string, handle func(amqp.Table) amqp.Table) {
	s.t.Helper()
	deliveries, err := s.ch.Consume(from, "", true, false, false, false, nil)
	ok(s.t, err)
	go func() {
		for d := range deliveries {
			_ = s.ch.PublishWithContext(context.Background(), exchange, key, false, false, amqp.Publishing{
				Headers: handle(d.Headers), Body: d.Body, MessageId: d.MessageId,
			})
		}
	}()
}

// patience is how long tests wait for what they expect, to allow for a busy machine.
const patience = 30 * time.Second

func (s *scene) probe(r probe.Route) *probe.Result {
	s.t.Helper()
	if r.Timeout == 0 {
		r.Timeout = patience
	}
	result, err := probe.AMQP(s.t.Context(), s.conn, r)
	ok(s.t, err)
	return result
}

// want checks the outcome and, by its status, each field at the destination.
func (s *scene) want(r *probe.Result, outcome probe.Outcome, statuses ...probe.Status) {
	s.t.Helper()
	if r.Outcome != outcome {
		s.t.Errorf("outcome %q (%s), want %q", r.Outcome, r.Reason, outcome)
	}
	fields := r.Places[len(r.Places)-1].Fields
	if len(fields) != len(statuses) {
		s.t.Fatalf("fields %v, want %v", fields, statuses)
	}
	for i, f := range fields {
		if f.Status != statuses[i] {
			s.t.Errorf("%s %s, want %s: sent %q, received %q", f.Name, f.Status, statuses[i], f.Sent, f.Received)
		}
	}
}

// wantMessages waits until the queue has n messages.
func (s *scene) wantMessages(queue string, n int) {
	s.t.Helper()
	var q amqp.Queue
	var err error
	for began := time.Now(); time.Since(began) < patience; time.Sleep(20 * time.Millisecond) {
		q, err = s.ch.QueueDeclarePassive(queue, true, false, false, false, nil)
		ok(s.t, err)
		if q.Messages == n {
			return
		}
	}
	s.t.Errorf("queue has %d messages, want %d", q.Messages, n)
}

// wantBodies takes all messages in a queue.
func (s *scene) wantBodies(queue string, redelivered bool, bodies ...string) {
	s.t.Helper()
	s.wantMessages(queue, len(bodies))
	for _, body := range bodies {
		d, found, err := s.ch.Get(queue, true)
		ok(s.t, err)
		if !found || string(d.Body) != body || d.Redelivered != redelivered {
			s.t.Errorf("got %v %q, redelivered %v; want %q, %v", found, d.Body, d.Redelivered, body, redelivered)
		}
	}
}
