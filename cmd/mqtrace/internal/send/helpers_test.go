package send_test

import (
	"context"
	"fmt"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/hibiken/asynq"
	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/redis/go-redis/v9"
	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/trace"
	"go.uber.org/goleak"

	"github.com/mqtrace/mqtrace/asynqtrace/asynqredis"
	"github.com/mqtrace/mqtrace/internal/amqpbroker"
)

func TestMain(m *testing.M) {
	redis.SetLogger(silent{}) // the errors that tests cause are returned to them
	goleak.VerifyTestMain(m)
}

type silent struct{}

func (silent) Printf(context.Context, string, ...any) {}

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// patience is how long tests wait for what they expect, to allow for a busy machine.
const patience = 30 * time.Second

var names atomic.Int64

// unique returns a name that no other test, and no other run of this one, uses.
func unique() string { return fmt.Sprintf("mqtrace-send-%d-%d", os.Getpid(), names.Add(1)) }

// parent is the context that a message continues, with baggage.
var parent = trace.NewSpanContext(trace.SpanContextConfig{
	TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}, TraceFlags: trace.FlagsSampled, Remote: true,
})

func within(t *testing.T) context.Context {
	t.Helper()
	b, err := baggage.Parse("tenant=t1")
	ok(t, err)
	return baggage.ContextWithBaggage(trace.ContextWithSpanContext(t.Context(), parent), b)
}

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

// scene is a channel for the receiver, and a dial function for the sender.
type scene struct {
	t    *testing.T
	dial func() *amqp.Connection
	ch   *amqp.Channel
}

func newScene(t *testing.T, url string) *scene {
	t.Helper()
	s := &scene{t: t, dial: func() *amqp.Connection {
		conn, err := amqp.Dial(url)
		ok(t, err)
		t.Cleanup(func() { _ = conn.Close() })
		return conn
	}}
	var err error
	s.ch, err = s.dial().Channel()
	ok(t, err)
	return s
}

func (s *scene) declare(args amqp.Table) (queue string) {
	s.t.Helper()
	q, err := s.ch.QueueDeclare(unique(), false, false, false, false, args)
	ok(s.t, err)
	s.t.Cleanup(func() { _, _ = s.ch.QueueDelete(q.Name, false, false, false) })
	return q.Name
}

// onRedis runs a test on an in-process Redis and, if MQTRACE_REDIS_ADDR names one, on a
// real one, with a queue that is removed after it.
func onRedis(t *testing.T, test func(t *testing.T, client *redis.Client, queue string)) {
	t.Helper()
	with := func(addr string) func(t *testing.T) {
		return func(t *testing.T) {
			opt, err := asynqredis.Parse(addr)
			ok(t, err)
			client, queue := asynqredis.NewClient(opt), unique()
			t.Cleanup(func() {
				ok(t, asynqredis.DeleteQueue(context.Background(), opt, queue))
				ok(t, client.Close())
			})
			test(t, client, queue)
		}
	}
	t.Run("miniredis", with(miniredis.RunT(t).Addr()))
	if addr := os.Getenv("MQTRACE_REDIS_ADDR"); addr != "" {
		t.Run("redis", with(addr))
	}
}

// pending counts the tasks of a queue, which need not exist.
func pending(t *testing.T, client *redis.Client, queue string) int {
	t.Helper()
	info, err := asynq.NewInspectorFromRedisClient(client).GetQueueInfo(queue)
	if err != nil {
		return 0
	}
	return info.Pending
}
