package probe_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"github.com/mqtrace/mqtrace/asynqtrace/asynqredis"
	"github.com/mqtrace/mqtrace/cmd/mqtrace/internal/probe"
)

// onRedis runs a test on an in-process Redis and, if MQTRACE_REDIS_ADDR names one, on a
// real one, which must answer.
func onRedis(t *testing.T, test func(t *testing.T, s *tasks)) {
	t.Helper()
	t.Run("miniredis", func(t *testing.T) { test(t, newTasks(t, miniredis.RunT(t).Addr())) })
	if addr := os.Getenv("MQTRACE_REDIS_ADDR"); addr != "" {
		t.Run("redis", func(t *testing.T) { test(t, newTasks(t, addr)) })
	}
}

// tasks is a new queue with a task.
type tasks struct {
	t     *testing.T
	opt   asynq.RedisClientOpt
	redis redis.UniversalClient
	queue string
}

func newTasks(t *testing.T, addr string) *tasks {
	t.Helper()
	opt, err := asynqredis.Parse(addr)
	ok(t, err)
	s := &tasks{t, opt, opt.MakeRedisClient().(redis.UniversalClient),
		fmt.Sprintf("mqtrace-test-%d-%d", os.Getpid(), scenes.Add(1))}
	client := asynq.NewClient(s.opt)
	defer client.Close()
	_, err = client.Enqueue(asynq.NewTask("theirs", nil), asynq.Queue(s.queue), asynq.ProcessIn(time.Hour))
	ok(t, err)
	t.Cleanup(func() {
		ok(t, asynqredis.DeleteQueue(context.Background(), opt, s.queue))
		_ = s.redis.Close()
	})
	return s
}

// keys returns everything that Redis has of the queue: each key with its value.
func (s *tasks) keys() map[string]string {
	s.t.Helper()
	ctx := context.Background()
	all := map[string]string{}
	scan := s.redis.Scan(ctx, 0, "asynq:{"+s.queue+"}*", 1000).Iterator()
	for scan.Next(ctx) {
		kind, err := s.redis.Type(ctx, scan.Val()).Result()
		ok(s.t, err)
		all[scan.Val()] = kind
		switch kind {
		case "zset":
			all[scan.Val()] = fmt.Sprint(s.redis.ZRangeWithScores(ctx, scan.Val(), 0, -1).Val())
		case "hash":
			all[scan.Val()] = fmt.Sprint(s.redis.HGetAll(ctx, scan.Val()).Val())
		}
	}
	ok(s.t, scan.Err())
	return all
}

func TestAsynq(t *testing.T) {
	onRedis(t, func(t *testing.T, s *tasks) {
		before := s.keys()
		r, err := probe.Asynq(t.Context(), s.redis, s.queue, false)
		ok(t, err)
		if r.Outcome != probe.Survived || len(r.Places[0].Fields) != 3 {
			t.Errorf("result %+v", r)
		}
		for _, f := range r.Places[0].Fields {
			if f.Status != probe.Unchanged || f.Type != "" || f.Received != f.Sent || f.Sent == "" {
				t.Errorf("field %+v", f)
			}
		}
		if len(r.Notes) != 1 || !strings.Contains(r.Notes[0], "before v0.26") {
			t.Errorf("notes %q", r.Notes)
		}
		if after := s.keys(); len(before) == 0 || !maps.Equal(before, after) {
			t.Errorf("left behind: %q, before %q", after, before)
		}
	})
}

func TestAsynqBusy(t *testing.T) {
	onRedis(t, func(t *testing.T, s *tasks) {
		handled := make(chan string, 10)
		srv := asynq.NewServer(s.opt, asynq.Config{Queues: map[string]int{s.queue: 1}, LogLevel: asynq.FatalLevel})
		ok(t, srv.Start(asynq.HandlerFunc(func(_ context.Context, task *asynq.Task) error {
			handled <- task.Type()
			return nil
		})))
		defer srv.Shutdown()
		var err error
		// Until the server has registered itself.
		for began := time.Now(); err == nil && time.Since(began) < patience; time.Sleep(20 * time.Millisecond) {
			_, err = probe.Asynq(t.Context(), s.redis, s.queue, false)
		}
		if !errors.Is(err, probe.ErrBusy) {
			t.Errorf("error %v", err)
		}
		r, err := probe.Asynq(t.Context(), s.redis, s.queue, true)
		ok(t, err)
		if r.Outcome != probe.Survived || !strings.Contains(r.Notes[0], "this queue has 1 server,") {
			t.Errorf("result %+v", r)
		}
		if len(handled) > 0 {
			t.Errorf("the server was given %q", <-handled)
		}
	})
}

func TestAsynqErrors(t *testing.T) {
	onRedis(t, func(t *testing.T, s *tasks) {
		if _, err := probe.Asynq(t.Context(), s.redis, "none-"+s.queue, false); !errors.Is(err, asynq.ErrQueueNotFound) {
			t.Errorf("error %v", err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		before := s.keys()
		if _, err := probe.Asynq(ctx, s.redis, s.queue, false); !errors.Is(err, context.Canceled) {
			t.Errorf("error %v", err)
		}
		if after := s.keys(); !maps.Equal(before, after) {
			t.Errorf("left behind: %q, before %q", after, before)
		}
	})
	nobody := redis.NewClient(&redis.Options{Addr: "127.0.0.1:1", MaxRetries: -1})
	defer nobody.Close()
	if _, err := probe.Asynq(t.Context(), nobody, "q", false); err == nil {
		t.Error("no error without Redis")
	}
}
