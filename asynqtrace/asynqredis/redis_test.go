package asynqredis_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"github.com/mqtrace/mqtrace/asynqtrace/asynqredis"
)

func TestParse(t *testing.T) {
	for text, want := range map[string]asynq.RedisClientOpt{
		"127.0.0.1:6379":                  {Addr: "127.0.0.1:6379"},
		"redis://127.0.0.1:6379":          {Addr: "127.0.0.1:6379"},
		"redis://127.0.0.1:6379/3":        {Addr: "127.0.0.1:6379", DB: 3},
		"redis://:secret@127.0.0.1:6379/": {Addr: "127.0.0.1:6379", Password: "secret"},
		"redis://alice:secret@localhost":  {Addr: "localhost:6379", Username: "alice", Password: "secret"},
	} {
		got, err := asynqredis.Parse(text)
		if err != nil || got.Addr != want.Addr || got.DB != want.DB || got.Username != want.Username || got.Password != want.Password || got.TLSConfig != nil {
			t.Errorf("%s: %+v, %v", text, got, err)
		}
	}
	if opt, err := asynqredis.Parse("redis://h?dial_timeout=1s&read_timeout=2s&write_timeout=3s&pool_size=4&db=5&max_retries=6"); err != nil ||
		opt.DialTimeout != 1*time.Second || opt.ReadTimeout != 2*time.Second || opt.WriteTimeout != 3*time.Second || opt.PoolSize != 4 || opt.DB != 5 {
		t.Errorf("parameters: %+v, %v", opt, err)
	}
	if opt, err := asynqredis.Parse("rediss://127.0.0.1:6379"); err != nil || opt.TLSConfig == nil {
		t.Errorf("rediss: %+v, %v", opt, err)
	}
	for _, text := range []string{
		"redis://:secret@host:no", "redis://:secret@host/no", "redis://:secret@host/%zz", "http://:secret@host", "redis-sentinel://:secret@host",
		"unix://alice:secret@/socket", "localhost", "",
	} {
		_, err := asynqredis.Parse(text)
		if !errors.Is(err, asynqredis.ErrAddress) || !strings.HasPrefix(err.Error(), "asynqredis: ") || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestNewClient(t *testing.T) {
	client := asynqredis.NewClient(asynq.RedisClientOpt{
		Addr: "127.0.0.1:6379", DialTimeout: 1 * time.Second, ReadTimeout: 2 * time.Second, WriteTimeout: 3 * time.Second, PoolSize: 4,
	})
	defer client.Close()
	if o := client.Options(); o.DialTimeout != 1*time.Second || o.ReadTimeout != 2*time.Second || o.WriteTimeout != 3*time.Second || o.PoolSize != 4 {
		t.Errorf("options %+v", o)
	}
}

// What asynq keeps of a used queue is removed, and what it keeps of others stays.
func TestDeleteQueue(t *testing.T) {
	t.Run("miniredis", func(t *testing.T) { deletesQueue(t, miniredis.RunT(t).Addr()) })
	if addr := os.Getenv("MQTRACE_REDIS_ADDR"); addr != "" {
		t.Run("Redis", func(t *testing.T) { deletesQueue(t, addr) })
	}
}

func deletesQueue(t *testing.T, addr string) {
	opt, err := asynqredis.Parse(addr)
	if err != nil {
		t.Fatal(err)
	}
	client := opt.MakeRedisClient().(redis.UniversalClient)
	defer client.Close()
	// As a pattern, the queue's name would match the other's.
	base := fmt.Sprintf("mqtrace-asynqredis-%d", os.Getpid())
	queue, other := base+"*", base+"-other"
	keysOf := func(q string) []string {
		keys, err := client.Keys(context.Background(), "asynq:{"+strings.ReplaceAll(q, "*", `\*`)+"}*").Result()
		if err != nil {
			t.Fatal(err)
		}
		return keys
	}
	for _, q := range []string{queue, other} {
		work(t, opt, q)
		if !slices.ContainsFunc(keysOf(q), func(key string) bool { return strings.Contains(key, ":processed") }) {
			t.Errorf("no statistics of %s, which is what the test is about", q)
		}
	}
	left := func(q string) []string {
		t.Helper()
		keys := keysOf(q)
		if client.SIsMember(context.Background(), "asynq:queues", q).Val() {
			keys = append(keys, "asynq:queues")
		}
		return keys
	}
	if err := asynqredis.DeleteQueue(t.Context(), opt, queue); err != nil || len(left(queue)) > 0 {
		t.Errorf("%v, left: %q", err, left(queue))
	}
	if len(left(other)) < 2 {
		t.Errorf("of the other queue there is %q", left(other))
	}
	if err := asynqredis.DeleteQueue(t.Context(), opt, other); err != nil || len(left(other)) > 0 {
		t.Errorf("%v, left: %q", err, left(other))
	}
}

// work makes a worker process a task of the queue.
func work(t *testing.T, opt asynq.RedisClientOpt, queue string) {
	t.Helper()
	done := make(chan struct{})
	srv := asynq.NewServer(opt, asynq.Config{
		Queues: map[string]int{queue: 1}, LogLevel: asynq.FatalLevel, TaskCheckInterval: 10 * time.Millisecond,
	})
	if err := srv.Start(asynq.HandlerFunc(func(context.Context, *asynq.Task) error { close(done); return nil })); err != nil {
		t.Fatal(err)
	}
	defer srv.Shutdown()
	client := asynq.NewClient(opt)
	defer client.Close()
	if _, err := client.Enqueue(asynq.NewTask("a", nil), asynq.Queue(queue), asynq.Retention(time.Hour)); err != nil {
		t.Fatal(err)
	}
	select {
	case <-done:
	case <-time.After(20 * time.Second):
		t.Fatal("the task was not done")
	}
}

func TestDeleteQueueWithoutRedis(t *testing.T) {
	opt := asynq.RedisClientOpt{Addr: "127.0.0.1:1"}
	if err := asynqredis.DeleteQueue(t.Context(), opt, "q"); err == nil || !strings.Contains(err.Error(), "delete queue q") {
		t.Error(err)
	}
}
