//go:build faults

package asynqtrace_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"github.com/mqtrace/mqtrace/asynqtrace"
)

// privateRedis is a redis-server of the test's own, which may be killed. It writes each
// command to its disk before it answers.
type privateRedis struct {
	addr, port, dir string
	server          *exec.Cmd
}

func newPrivateRedis(t *testing.T) *privateRedis {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &privateRedis{addr: l.Addr().String(), dir: t.TempDir()}
	_, r.port, _ = net.SplitHostPort(r.addr)
	_ = l.Close()
	r.start(t)
	t.Cleanup(r.kill)
	return r
}

func (r *privateRedis) start(t *testing.T) {
	t.Helper()
	r.server = exec.Command("redis-server", "--bind", "127.0.0.1", "--port", r.port, "--dir", r.dir,
		"--save", "", "--appendonly", "yes", "--appendfsync", "always")
	if err := r.server.Start(); err != nil {
		t.Fatal(err)
	}
	client := redis.NewClient(&redis.Options{Addr: r.addr})
	defer client.Close()
	for range 200 {
		if client.Ping(context.Background()).Err() == nil {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatal("redis-server does not answer")
}

// kill ends the server as a crash does.
func (r *privateRedis) kill() {
	_ = r.server.Process.Kill()
	_ = r.server.Wait()
}

// ledger counts how often each task was worked on.
type ledger struct {
	mu   sync.Mutex
	done map[string]int
}

func (l *ledger) note(ctx context.Context) {
	id, _ := asynq.GetTaskID(ctx)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.done == nil {
		l.done = make(map[string]int)
	}
	l.done[id]++
}

func (l *ledger) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.done)
}

func (l *ledger) await(t *testing.T, n int) {
	t.Helper()
	for range 12000 {
		if l.count() >= n {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("%d tasks were worked on, want %d", l.count(), n)
}

// accounted checks that every span that started has ended, and that every attempt's is
// in the trace of an enqueue.
func (e *env) accounted(t *testing.T) (enqueued, processed int) {
	t.Helper()
	if s, d := len(e.Started()), len(e.Ended()); s != d {
		t.Errorf("%d spans started and %d ended", s, d)
	}
	enqueues := make(map[string]bool)
	for _, s := range e.Ended() {
		if s.Name() == "enqueue "+e.queue {
			enqueues[s.SpanContext().SpanID().String()] = true
		}
	}
	for _, s := range e.Ended() {
		if s.Name() == "process "+e.queue {
			processed++
			if !enqueues[s.Parent().SpanID().String()] {
				t.Errorf("an attempt has the parent %v, which is no enqueue of ours", s.Parent())
			}
		}
	}
	return len(enqueues), processed
}

// Each task that asynq took is worked on although the server is killed and started
// again twice, and every enqueue and attempt has its span.
func TestFaultRedisKilledUnderLoad(t *testing.T) {
	r := newPrivateRedis(t)
	e := newEnv(t, r.addr)
	var worked ledger
	work := func(ctx context.Context, _ *asynq.Task) error { worked.note(ctx); return nil }
	stop := e.serve(t, asynqtrace.Config(asynq.Config{Concurrency: 4}, e.options()...), work)
	client := e.client(t)
	var taken sync.Map
	var accepted, refused, calls atomic.Int64
	var load sync.WaitGroup
	finish := make(chan struct{})
	for g := range 4 {
		load.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-finish:
					return
				default:
				}
				calls.Add(1)
				id := fmt.Sprintf("%d-%d", g, i)
				if _, err := client.Enqueue(asynq.NewTask("email:welcome", nil, asynq.Queue(e.queue), asynq.TaskID(id))); err != nil {
					refused.Add(1)
					continue
				}
				accepted.Add(1)
				taken.Store(id, true)
			}
		})
	}
	// asynq's connection waits for a server that is soon back, and not for the other.
	for _, down := range []time.Duration{500 * time.Millisecond, 10 * time.Second} {
		time.Sleep(time.Second)
		r.kill()
		time.Sleep(down)
		r.start(t)
	}
	time.Sleep(time.Second)
	close(finish)
	load.Wait()

	// Tasks that Redis had given away as it died are active and nobody's: asynq gives them
	// back when their lease has run out. It looks when a server starts, and once a minute.
	stop()
	e.expireLeases(t)
	stop = e.serve(t, asynqtrace.Config(asynq.Config{
		Concurrency: 4, DelayedTaskCheckInterval: 100 * time.Millisecond,
		RetryDelayFunc: func(int, error, *asynq.Task) time.Duration { return 0 },
	}, e.options()...), work)
	lost := func() (n int) {
		worked.mu.Lock()
		defer worked.mu.Unlock()
		taken.Range(func(id, _ any) bool {
			if worked.done[id.(string)] == 0 {
				n++
			}
			return true
		})
		return n
	}
	for range 3000 {
		if lost() == 0 {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	stop()
	if n := lost(); n != 0 {
		t.Errorf("%d of %d tasks that asynq took were not worked on", n, accepted.Load())
	}
	enqueued, processed := e.accounted(t)
	if int64(enqueued) != calls.Load() {
		t.Errorf("%d enqueue spans for %d calls", enqueued, calls.Load())
	}
	total := 0
	for _, n := range worked.done {
		total += n
	}
	if processed != total {
		t.Errorf("%d process spans for %d attempts", processed, total)
	}
	t.Logf("%d accepted, %d refused, %d attempts, %d spans", accepted.Load(), refused.Load(), total, len(e.Ended()))
	if accepted.Load() == 0 || refused.Load() == 0 {
		t.Error("the server was not killed under load")
	}
}

// expireLeases has the leases of all active tasks run out long ago and waits for none:
// asynq itself would take a minute and a half.
func (e *env) expireLeases(t *testing.T) (n int) {
	t.Helper()
	client := redis.NewClient(&redis.Options{Addr: e.redis.Addr})
	defer client.Close()
	ctx := context.Background()
	key := "asynq:{" + e.queue + "}:lease"
	ids, err := client.ZRange(ctx, key, 0, -1).Result()
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range ids {
		if err := client.ZAdd(ctx, key, redis.Z{Score: float64(time.Now().Add(-time.Hour).Unix()), Member: id}).Err(); err != nil {
			t.Fatal(err)
		}
	}
	return len(ids)
}

// The variables by which this test's program becomes the worker that is killed.
const workerRedis, workerQueue = "MQTRACE_TEST_WORKER_REDIS", "MQTRACE_TEST_WORKER_QUEUE"

// A worker that dies takes its spans along, and nothing else: its tasks come back, in
// the traces that they were in.
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
	for range 1000 {
		if q, err := inspector.GetQueueInfo(e.queue); err == nil && q.Active == 5 {
			break
		}
		time.Sleep(10 * time.Millisecond)
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

// What a shutdown cuts short is worked on by the next server, with its retries as they
// were, and has a span for each of the two.
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
