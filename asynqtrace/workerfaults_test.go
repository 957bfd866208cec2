//go:build faults

package asynqtrace_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"github.com/hibiken/asynq"

	"github.com/mqtrace/mqtrace/asynqtrace"
)

// The variables that make this test binary the worker that is killed.
const workerRedis, workerQueue = "MQTRACE_TEST_WORKER_REDIS", "MQTRACE_TEST_WORKER_QUEUE"

// A worker that dies loses its spans, and nothing else: its tasks come back, in the same
// traces.
func TestFaultWorkerKilled(t *testing.T) {
	if addr := os.Getenv(workerRedis); addr != "" {
		e := newEnv(t, addr)
		e.queue = os.Getenv(workerQueue)
		e.serve(t, asynqtrace.Config(asynq.Config{Concurrency: 5}, e.options()...),
			func(context.Context, *asynq.Task) error { select {} })
		select {} // until it is killed
	}
	r := newPrivateRedis(t)
	e := newEnv(t, r.addr)
	client := e.client(t)
	const tasks = 20
	for i := range tasks {
		if _, err := client.Enqueue(asynq.NewTask("email:welcome", nil, asynq.Queue(e.queue), asynq.TaskID(fmt.Sprint(i)))); err != nil {
			t.Fatal(err)
		}
	}
	worker := exec.Command(os.Args[0], "-test.run=^TestFaultWorkerKilled$")
	worker.Env = append(os.Environ(), workerRedis+"="+r.addr, workerQueue+"="+e.queue)
	if err := worker.Start(); err != nil {
		t.Fatal(err)
	}
	inspector := asynq.NewInspector(e.redis)
	defer func() { _ = inspector.Close() }()
	for began := time.Now(); time.Since(began) < patience; time.Sleep(10 * time.Millisecond) {
		if q, err := inspector.GetQueueInfo(e.queue); err == nil && q.Active == 5 {
			break
		}
	}
	_ = worker.Process.Signal(syscall.SIGKILL)
	_ = worker.Wait()
	if n := e.expireLeases(t); n != 5 {
		t.Fatalf("%d tasks in flight, want 5", n)
	}
	var worked ledger
	stop := e.serve(t, asynqtrace.Config(asynq.Config{}, e.options()...),
		func(ctx context.Context, _ *asynq.Task) error { worked.note(ctx); return nil })
	worked.await(t, tasks)
	stop()
	if enqueued, processed := e.accounted(t); enqueued != tasks || processed != tasks {
		t.Errorf("%d enqueue and %d process spans", enqueued, processed)
	}
	recovered := 0
	for _, s := range e.wait(t, "process "+e.queue, tasks) {
		if attributes(s)["asynq.task.retry_count"] == int64(1) {
			recovered++
		}
	}
	if recovered != 5 {
		t.Errorf("%d attempts are second ones, want 5", recovered)
	}
}

// A task that a shutdown interrupts is processed by the next server, with its retry count
// unchanged, and has a span for each of the two.
func TestFaultShutdownInFlight(t *testing.T) {
	r := newPrivateRedis(t)
	e := newEnv(t, r.addr)
	client := e.client(t)
	const tasks = 8
	for range tasks {
		if _, err := client.Enqueue(asynq.NewTask("email:welcome", nil, asynq.Queue(e.queue), asynq.MaxRetry(1))); err != nil {
			t.Fatal(err)
		}
	}
	var started ledger
	stop := e.serve(t, asynqtrace.Config(asynq.Config{Concurrency: tasks, ShutdownTimeout: 100 * time.Millisecond}, e.options()...),
		func(ctx context.Context, _ *asynq.Task) error {
			started.note(ctx)
			<-ctx.Done()
			return errors.Join(ctx.Err())
		})
	started.await(t, tasks)
	stop()
	e.wait(t, "process "+e.queue, tasks)
	var worked ledger
	stop = e.serve(t, asynqtrace.Config(asynq.Config{}, e.options()...),
		func(ctx context.Context, _ *asynq.Task) error { worked.note(ctx); return nil })
	worked.await(t, tasks)
	stop()
	e.accounted(t)
	outcomes := make(map[any]int)
	for _, s := range e.wait(t, "process "+e.queue, 2*tasks) {
		outcomes[attributes(s)["asynq.task.outcome"]]++
		if attributes(s)["asynq.task.retry_count"] != int64(0) {
			t.Errorf("a shutdown cost a retry: %v", attributes(s))
		}
	}
	if outcomes["cancelled"] != tasks || outcomes["done"] != tasks {
		t.Errorf("outcomes %v", outcomes)
	}
}
