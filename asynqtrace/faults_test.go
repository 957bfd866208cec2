//go:build faults

package asynqtrace_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"github.com/mqtrace/mqtrace/asynqtrace"
)

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
				t.Errorf("an attempt has the parent %v, which is not one of our enqueue spans", s.Parent())
			}
		}
	}
	return len(enqueues), processed
}

// Each task that asynq accepted is processed although the server is killed and restarted
// twice, and every enqueue and attempt has its span.
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
	// asynq's connection waits for a server that is back soon, and not for one that stays
	// away.
	for _, down := range []time.Duration{500 * time.Millisecond, 10 * time.Second} {
		time.Sleep(time.Second)
		r.kill()
		time.Sleep(down)
		r.start(t)
	}
	time.Sleep(time.Second)
	close(finish)
	load.Wait()

	// Tasks that Redis handed out as it died are active without a worker: asynq requeues
	// them when their lease has expired. It checks when a server starts, and once a minute.
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
	for began := time.Now(); lost() > 0 && time.Since(began) < patience; {
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

// expireLeases expires the leases of all active tasks at once. Without it, that would take
// asynq a minute and a half.
func (e *env) expireLeases(t *testing.T) (n int) {
	t.Helper()
	client := e.redis.MakeRedisClient().(redis.UniversalClient)
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
