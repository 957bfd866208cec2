package peek_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/alicebob/miniredis/v2"
	"github.com/hibiken/asynq"
	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/redis/go-redis/v9"
	"go.opentelemetry.io/otel"
	"go.uber.org/goleak"

	"github.com/mqtrace/mqtrace/asynqtrace/asynqredis"
	"github.com/mqtrace/mqtrace/cmd/mqtrace/internal/peek"
	"github.com/mqtrace/mqtrace/internal/amqpbroker"
)

func TestMain(m *testing.M) {
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(error) {})) // about hostile baggage
	goleak.VerifyTestMain(m)
}

const (
	traceA  = "4bf92f3577b34da6a3ce929d0e0e4736"
	spanA   = "00f067aa0ba902b7"
	parentA = "00-" + traceA + "-" + spanA + "-01"

	// evil clears a screen and reorders text. hostile is not valid UTF-8 either, which asynq's
	// strings have to be.
	evil    = "\x1b[2J\u009b31m\u202eevil\u2066\x7f\r\n"
	hostile = evil + "\xff\xfe"

	// patience is how long tests wait for what they expect, to allow for a busy machine.
	patience = 30 * time.Second
)

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

var names atomic.Int64

// unique returns a name that no other test, and no other run of this one, uses.
func unique() string { return fmt.Sprintf("mqtrace-peek-%d-%d", os.Getpid(), names.Add(1)) }

// onBroker runs a test on the in-process broker and, if MQTRACE_AMQP_URL names one, on a
// real one, which must answer.
func onBroker(t *testing.T, test func(t *testing.T, s *scene)) {
	t.Helper()
	t.Run("amqpbroker", func(t *testing.T) {
		b, err := amqpbroker.Start()
		ok(t, err)
		t.Cleanup(func() { _ = b.Close() })
		test(t, newScene(t, b.URL()))
	})
	if url := os.Getenv("MQTRACE_AMQP_URL"); url != "" {
		t.Run("rabbitmq", func(t *testing.T) { test(t, newScene(t, url)) })
	}
}

// scene is a connection to peek with, a channel for everything else, and a classic queue.
type scene struct {
	t     *testing.T
	conn  *amqp.Connection
	ch    *amqp.Channel
	queue string
}

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
	ok(t, ch.Confirm(false))
	s := &scene{t, dial(), ch, unique()}
	_, err = ch.QueueDeclare(s.queue, true, false, false, false, nil)
	ok(t, err)
	t.Cleanup(func() { _, _ = ch.QueueDelete(s.queue, false, false, false) })
	return s
}

// publish returns when the queue has the message.
func (s *scene) publish(exchange, key string, msg amqp.Publishing) {
	s.t.Helper()
	c, err := s.ch.PublishWithDeferredConfirmWithContext(s.t.Context(), exchange, key, false, false, msg)
	ok(s.t, err)
	if acked, err := c.WaitContext(s.t.Context()); err != nil || !acked {
		s.t.Fatal(acked, err)
	}
}

// open waits for n ready messages: those that a closed channel held come back after a
// while.
func (s *scene) open(n int, opts peek.Options) *peek.AMQP {
	s.t.Helper()
	for began := time.Now(); ; time.Sleep(5 * time.Millisecond) {
		source, err := peek.OpenAMQP(s.conn, s.queue, false, opts)
		ok(s.t, err)
		if source.Total() == n {
			return source
		}
		if time.Since(began) > patience {
			s.t.Fatalf("queue has %d messages, want %d", source.Total(), n)
		}
	}
}

// tasks is an asynq queue.
type tasks struct {
	t         *testing.T
	redis     *redis.Client
	client    *asynq.Client
	inspector *asynq.Inspector
	queue     string
}

func (s *tasks) enqueue(id string, task *asynq.Task, opts ...asynq.Option) {
	s.t.Helper()
	_, err := s.client.Enqueue(task, append(opts, asynq.Queue(s.queue), asynq.TaskID(id))...)
	ok(s.t, err)
}

func (s *tasks) open(opts peek.Options, states ...string) *peek.Asynq {
	s.t.Helper()
	source, err := peek.OpenAsynq(s.inspector, s.queue, states, opts)
	ok(s.t, err)
	return source
}

// onRedis runs a test on an in-process Redis and, if MQTRACE_REDIS_ADDR names one, on a
// real one, with a queue that is removed after it.
func onRedis(t *testing.T, test func(t *testing.T, s *tasks)) {
	t.Helper()
	with := func(addr string) func(t *testing.T) {
		return func(t *testing.T) {
			opt, err := asynqredis.Parse(addr)
			ok(t, err)
			redis := asynqredis.NewClient(opt)
			s := &tasks{t, redis, asynq.NewClientFromRedisClient(redis), asynq.NewInspectorFromRedisClient(redis), unique()}
			t.Cleanup(func() {
				ok(t, asynqredis.DeleteQueue(context.Background(), opt, s.queue))
				ok(t, redis.Close())
			})
			test(t, s)
		}
	}
	t.Run("miniredis", with(miniredis.RunT(t).Addr()))
	if addr := os.Getenv("MQTRACE_REDIS_ADDR"); addr != "" {
		t.Run("redis", with(addr))
	}
}

// read collects what a source returns until its first error, after which nothing may
// follow.
func read(t *testing.T, source peek.Source, limit int) (all []peek.Message, err error) {
	t.Helper()
	for m, e := range source.Messages(limit) {
		if err != nil {
			t.Fatalf("after the error %v came %v, %v", err, m.ID, e)
		}
		if err = e; err == nil {
			all = append(all, m)
		}
	}
	return all, err
}

// document is what -o json prints.
type document struct {
	System, Queue string
	Messages      []json.RawMessage
	Summary       peek.Summary
}

func printJSON(t *testing.T, source peek.Source, limit int) (document, error) {
	t.Helper()
	var out bytes.Buffer
	var d document
	err := peek.Print(&out, source, limit, peek.Format{JSON: true, System: peek.SystemRabbitMQ, Queue: hostile})
	if out.Len() == 0 {
		return d, err
	}
	if e := json.Unmarshal(out.Bytes(), &d); e != nil {
		t.Fatalf("%v in\n%.2000s", e, out.String())
	}
	return d, err
}

// wantHarmless checks that nothing in the text drives a terminal.
func wantHarmless(t *testing.T, text string) {
	t.Helper()
	bad := func(r rune) bool { return !unicode.IsPrint(r) && r != '\n' }
	if i := strings.IndexFunc(text, bad); i >= 0 || !utf8.ValidString(text) {
		t.Errorf("prints %q", text[max(0, i):min(len(text), max(0, i)+100)])
	}
}
