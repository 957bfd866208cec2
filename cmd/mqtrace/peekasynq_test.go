package main

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/hibiken/asynq"
)

// One task of each state that people look for, all but one in traceA.
func TestPeekAsynq(t *testing.T) {
	onRedis(t, func(t *testing.T, addr, queue string) {
		redis := redisAt(t, addr)
		client, inspector := asynq.NewClient(redis), asynq.NewInspector(redis)
		defer client.Close()
		defer inspector.Close()
		enqueue := func(id string, headers map[string]string, opts ...asynq.Option) {
			t.Helper()
			opts = append(opts, asynq.Queue(queue), asynq.TaskID(id))
			if _, err := client.Enqueue(asynq.NewTaskWithHeaders("email:"+id, []byte("{}"), headers, opts...)); err != nil {
				t.Fatal(err)
			}
		}
		traced := map[string]string{"traceparent": parentA, "baggage": "tenant.id=t1"}
		enqueue("retry", traced, asynq.MaxRetry(3))
		enqueue("archived", traced, asynq.MaxRetry(0))
		failTasks(t, redis, inspector, queue)
		enqueue("pending", traced)
		enqueue("scheduled", nil, asynq.ProcessIn(time.Hour))

		stable := func(text string) string {
			return replace(text, `mqtrace-tool-\d+-\d+`, "orders", `[\w.]+ ago`, "2s ago", `in \d+m\d+s`, "in 59m59s", `in 1h00m`, "in 59m59s",
				`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z`, "2026-01-02T03:04:05Z")
		}
		args := []string{"peek", "asynq", "-redis", addr, queue}
		golden(t, "peek-asynq", stable(ok(t, args...)))
		golden(t, "peek-asynq.json", stable(ok(t, append(args, "-o", "json", "-state", "retry,archived", "-baggage-values")...)))
		golden(t, "peek-asynq-limit", stable(ok(t, append(args, "-n", "1", "-state", "pending,scheduled")...)))
		fails(t, exitFailed, "there is no queue", "peek", "asynq", "-redis", addr, queue+"-none")
		fails(t, exitUsage, `"dead" is not one of`, append(args, "-state", "dead")...)
	})
}

// failTasks makes a server fail the tasks of the queue.
func failTasks(t *testing.T, redis asynq.RedisConnOpt, inspector *asynq.Inspector, queue string) {
	t.Helper()
	server := asynq.NewServer(redis, asynq.Config{
		Queues: map[string]int{queue: 1}, LogLevel: asynq.FatalLevel, TaskCheckInterval: 50 * time.Millisecond,
		RetryDelayFunc: func(int, error, *asynq.Task) time.Duration { return time.Hour },
	})
	if err := server.Start(asynq.HandlerFunc(func(context.Context, *asynq.Task) error { return errors.New("mailbox full") })); err != nil {
		t.Fatal(err)
	}
	defer server.Shutdown()
	for began := time.Now(); time.Since(began) < patience; time.Sleep(10 * time.Millisecond) {
		info, err := inspector.GetQueueInfo(queue)
		if err == nil && info.Retry == 1 && info.Archived == 1 {
			return
		}
	}
	t.Fatal("the tasks have not failed")
}
