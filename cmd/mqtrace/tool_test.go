package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/hibiken/asynq"
	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/mqtrace/mqtrace/asynqtrace/asynqredis"
	"github.com/mqtrace/mqtrace/internal/amqpbroker"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden compares output with a file, after what varies was replaced.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs. Got:\n%s\nWant:\n%s", path, got, want)
	}
}

// result is the result of a run of the tool.
type result struct {
	code           int
	stdout, stderr string
}

func tool(t *testing.T, args ...string) result {
	t.Helper()
	var stdout, stderr strings.Builder
	code := run(t.Context(), append([]string{"mqtrace"}, args...), &stdout, &stderr)
	return result{code, stdout.String(), stderr.String()}
}

// ok runs the tool and returns what it printed. It must succeed without a warning.
func ok(t *testing.T, args ...string) string {
	t.Helper()
	r := tool(t, args...)
	if r.code != 0 || r.stderr != "" {
		t.Fatalf("%q: exit code %d, %s%s", args, r.code, r.stderr, r.stdout)
	}
	return r.stdout
}

// fails runs the tool and checks how it failed.
func fails(t *testing.T, code int, stderr string, args ...string) {
	t.Helper()
	if r := tool(t, args...); r.code != code || !strings.Contains(r.stderr, stderr) {
		t.Errorf("%q: exit code %d, want %d; %q, want %q", args, r.code, code, r.stderr, stderr)
	}
}

// replace replaces what varies: pairs of a regular expression and its replacement.
func replace(text string, pairs ...string) string {
	for i := 0; i < len(pairs); i += 2 {
		text = regexp.MustCompile(pairs[i]).ReplaceAllString(text, pairs[i+1])
	}
	return text
}

// onAMQP runs a test on the in-process broker and, if MQTRACE_AMQP_URL names one, on a real
// RabbitMQ, which must answer.
func onAMQP(t *testing.T, test func(t *testing.T, url string, ch *amqp.Channel)) {
	t.Helper()
	with := func(url string) func(t *testing.T) {
		return func(t *testing.T) { test(t, url, openChannel(t, url)) }
	}
	b, err := amqpbroker.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	t.Run("in-process", with(b.URL()))
	if url := os.Getenv("MQTRACE_AMQP_URL"); url != "" {
		t.Run("RabbitMQ", with(url))
	}
}

func openChannel(t *testing.T, url string) *amqp.Channel {
	t.Helper()
	conn, err := amqp.Dial(url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	ch, err := conn.Channel()
	if err != nil {
		t.Fatal(err)
	}
	return ch
}

var sequence atomic.Int64

// patience is how long tests wait for what they expect, to allow for a busy machine.
const patience = time.Minute

// unique returns a name that no other test, and no other run of this one, uses.
func unique() string { return fmt.Sprintf("mqtrace-tool-%d-%d", os.Getpid(), sequence.Add(1)) }

// newQueue declares a queue and removes it after the test.
func newQueue(t *testing.T, ch *amqp.Channel, args amqp.Table) string {
	t.Helper()
	q, err := ch.QueueDeclare(unique(), true, false, false, false, args)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = ch.QueueDelete(q.Name, false, false, false) })
	return q.Name
}

// fill publishes messages to a queue and waits until it has them.
func fill(t *testing.T, ch *amqp.Channel, queue string, messages ...amqp.Publishing) {
	t.Helper()
	if err := ch.Confirm(false); err != nil {
		t.Fatal(err)
	}
	for _, m := range messages {
		confirmation, err := ch.PublishWithDeferredConfirmWithContext(t.Context(), "", queue, false, false, m)
		if err != nil {
			t.Fatal(err)
		}
		if acked, err := confirmation.WaitContext(t.Context()); err != nil || !acked {
			t.Fatal(acked, err)
		}
	}
}

// onRedis runs a test on miniredis and, if MQTRACE_REDIS_ADDR names one, on a real Redis,
// with a queue that is removed after the test, statistics included.
func onRedis(t *testing.T, test func(t *testing.T, addr, queue string)) {
	t.Helper()
	with := func(addr string) func(t *testing.T) {
		return func(t *testing.T) {
			queue := unique()
			t.Cleanup(func() { deleteQueue(t, addr, queue) })
			test(t, addr, queue)
		}
	}
	t.Run("miniredis", with(miniredis.RunT(t).Addr()))
	if addr := os.Getenv("MQTRACE_REDIS_ADDR"); addr != "" {
		t.Run("Redis", with(addr))
	}
}

func deleteQueue(t *testing.T, addr, queue string) {
	t.Helper()
	if err := asynqredis.DeleteQueue(context.Background(), redisAt(t, addr), queue); err != nil {
		t.Error(err)
	}
}

// redisAt reads an address as -redis takes it.
func redisAt(t *testing.T, addr string) asynq.RedisClientOpt {
	t.Helper()
	opt, err := asynqredis.Parse(addr)
	if err != nil {
		t.Fatal(err)
	}
	return opt
}
