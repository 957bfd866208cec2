//go:build stack

package stack_test

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"
	"go.opentelemetry.io/otel/propagation"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	oteltrace "go.opentelemetry.io/otel/trace"

	"github.com/mqtrace/mqtrace/asynqtrace"
)

// The primary is killed, and tasks go on through its replica, in the traces that they
// were enqueued in. The files are those of deploy/scale.
func TestRedisFailsOver(t *testing.T) {
	t.Parallel()
	primary, replica := startRedis(t), startRedis(t)
	host, port, _ := net.SplitHostPort(primary.addr)
	if err := replica.client.SlaveOf(t.Context(), host, port).Err(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the replica follows", func() bool {
		return strings.Contains(replica.client.Info(t.Context(), "replication").Val(), "master_link_status:up")
	})
	sentinels := startSentinels(t, host, port)
	opt := asynq.RedisFailoverClientOpt{MasterName: "tasks", SentinelAddrs: sentinels}

	options := []asynqtrace.Option{
		asynqtrace.WithTracerProvider(sdktrace.NewTracerProvider()),
		asynqtrace.WithPropagators(propagation.TraceContext{}),
	}
	client := asynqtrace.NewClient(asynq.NewClient(opt), options...)
	t.Cleanup(func() { _ = client.Close() })
	var mu sync.Mutex
	done := make(map[string]string) // trace by task
	mux := asynq.NewServeMux()
	mux.Use(asynqtrace.Middleware(options...))
	mux.HandleFunc("task", func(ctx context.Context, task *asynq.Task) error {
		mu.Lock()
		defer mu.Unlock()
		done[string(task.Payload())] = oteltrace.SpanContextFromContext(ctx).TraceID().String()
		return nil
	})
	server := asynq.NewServer(opt, asynq.Config{Concurrency: 2, LogLevel: asynq.FatalLevel})
	if err := server.Start(mux); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Shutdown)

	// enqueue reports whether a task was enqueued, and waits until it was done.
	tracer := sdktrace.NewTracerProvider().Tracer("")
	enqueue := func(name string, within time.Duration) bool {
		ctx, span := tracer.Start(t.Context(), "order")
		defer span.End()
		ctx, cancel := context.WithTimeout(ctx, within)
		defer cancel()
		if _, err := client.EnqueueContext(ctx, asynq.NewTask("task", []byte(name))); err != nil {
			return false
		}
		eventually(t, "task "+name+" is done", func() bool {
			mu.Lock()
			defer mu.Unlock()
			return done[name] != ""
		})
		mu.Lock()
		defer mu.Unlock()
		if want := span.SpanContext().TraceID().String(); done[name] != want {
			t.Errorf("task %s was done in trace %s, want %s", name, done[name], want)
		}
		return true
	}
	if !enqueue("before", patience) {
		t.Fatal("no task can be enqueued")
	}
	primary.kill(t)
	killed := time.Now()
	attempt := 0
	eventually(t, "a task can be enqueued again", func() bool {
		attempt++ // Redis may have accepted one without asynq getting its answer
		return enqueue("after "+itoa(attempt), time.Second)
	})
	t.Logf("the first task after the loss was done %v after it", time.Since(killed).Round(time.Millisecond))
}

type redisServer struct {
	*program

	addr   string
	client *redis.Client
}

// startRedis starts a Redis with a copy of deploy/scale/redis.conf, which sentinels make it
// rewrite.
func startRedis(t *testing.T) *redisServer {
	t.Helper()
	s := &redisServer{addr: freeAddr(t)}
	_, port, _ := net.SplitHostPort(s.addr)
	s.program = run(t, "redis", "redis-server", nil,
		joined(t, "../../deploy/scale/redis.conf"), "--port", port, "--bind", "127.0.0.1", "--dir", t.TempDir())
	s.client = redis.NewClient(&redis.Options{Addr: s.addr})
	t.Cleanup(func() { _ = s.client.Close() })
	eventually(t, "Redis answers", func() bool { return s.client.Ping(t.Context()).Err() == nil })
	return s
}

// startSentinels starts three sentinels with deploy/scale/sentinel.conf, except for shorter
// timeouts.
func startSentinels(t *testing.T, host, port string) (addrs []string) {
	t.Helper()
	config, err := os.ReadFile("../../deploy/scale/sentinel.conf")
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		addr := freeAddr(t)
		_, own, _ := net.SplitHostPort(addr)
		text := strings.NewReplacer("monitor tasks redis 6379", "monitor tasks "+host+" "+port,
			"port 26379", "port "+own, "tasks 5000", "tasks 1000").Replace(string(config))
		path := filepath.Join(t.TempDir(), "sentinel.conf")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		run(t, "sentinel", "redis-server", nil, path, "--sentinel", "--bind", "127.0.0.1")
		addrs = append(addrs, addr)
	}
	for _, addr := range addrs {
		sentinel := redis.NewSentinelClient(&redis.Options{Addr: addr})
		t.Cleanup(func() { _ = sentinel.Close() })
		eventually(t, "a sentinel knows the others", func() bool {
			others, err := sentinel.Sentinels(t.Context(), "tasks").Result()
			return err == nil && len(others) == 2
		})
	}
	return addrs
}
