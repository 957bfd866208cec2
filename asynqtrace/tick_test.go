package asynqtrace_test

import (
	"context"
	"maps"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"
	"go.opentelemetry.io/otel/codes"

	"github.com/mqtrace/mqtrace/asynqtrace"
)

// silentRedis is a Redis that accepts commands and does not answer until fail is closed.
type silentRedis struct {
	redis.UniversalClient

	asked atomic.Int64
	fail  chan struct{}
}

func (r *silentRedis) EvalSha(ctx context.Context, _ string, _ []string, _ ...any) *redis.Cmd {
	r.asked.Add(1)
	<-r.fail
	cmd := redis.NewCmd(ctx)
	cmd.SetErr(errFailed)
	return cmd
}

// As with asynq alone, ticks that are due while Redis does not answer do not wait for one
// another: they fail, and a shutdown takes no longer than the last of them.
func TestTicksDoNotWaitForOneAnother(t *testing.T) {
	t.Parallel()
	s := newScene(t, newEnv(t, startRedis(t)))
	server := &silentRedis{UniversalClient: s.redis.MakeRedisClient().(redis.UniversalClient), fail: make(chan struct{})}
	defer server.Close()
	var enqueued, failed atomic.Int64
	opts := asynqtrace.SchedulerOpts(&asynq.SchedulerOpts{
		LogLevel: asynq.FatalLevel,
		PostEnqueueFunc: func(_ *asynq.TaskInfo, err error) {
			if err == nil {
				enqueued.Add(1)
			} else {
				failed.Add(1)
			}
		},
	}, s.opts()...)
	sch := asynq.NewSchedulerFromRedisClient(server, opts)
	tasks := []*asynq.Task{asynq.NewTask("email:a", nil), asynq.NewTask("email:b", nil), asynq.NewTask("email:c", nil)}
	for _, task := range tasks {
		s.register(sch, task, asynq.Queue(s.queue))
	}
	s.ok(sch.Start())
	// Two ticks of each, the second of which overlaps the first.
	for began := time.Now(); server.asked.Load() < 6; time.Sleep(5 * time.Millisecond) {
		if time.Since(began) > 20*time.Second {
			close(server.fail)
			t.Fatalf("%d ticks under way, want 6", server.asked.Load())
		}
	}
	stopped := make(chan struct{})
	go func() { sch.Shutdown(); close(stopped) }()
	close(server.fail)
	select {
	case <-stopped:
	case <-time.After(20 * time.Second):
		t.Fatal("the scheduler does not stop")
	}
	asked := server.asked.Load()
	if enqueued.Load() != 0 || failed.Load() != asked {
		t.Errorf("of %d ticks %d failed and %d were enqueued", asked, failed.Load(), enqueued.Load())
	}
	for _, task := range tasks {
		if task.Headers() != nil {
			t.Errorf("afterwards the task has %v", task.Headers())
		}
	}
	overlapping := 0
	for _, span := range s.ours() {
		if span.Status().Code != codes.Error {
			t.Errorf("status %v", span.Status())
		}
		if attributes(span)["asynq.scheduler.overlapping"] == true {
			overlapping++
		}
	}
	if n := len(s.ours()); n != int(asked) || overlapping != n-len(tasks) {
		t.Errorf("%d ticks have %d spans, of which %d overlap", asked, n, overlapping)
	}
}

// entry does what asynq does at each tick of an entry.
type entry struct {
	*asynq.SchedulerOpts

	client *asynq.Client
	task   *asynq.Task
	opts   []asynq.Option
}

// tick enqueues the task; end calls the hooks that follow, as asynq does later.
func (e entry) tick() (end func() *asynq.TaskInfo) {
	e.PreEnqueueFunc(e.task, e.opts)
	info, err := e.client.Enqueue(e.task, e.opts...)
	return func() *asynq.TaskInfo {
		e.PostEnqueueFunc(info, err)
		if err != nil {
			e.EnqueueErrorHandler(e.task, e.opts, err) //nolint:staticcheck // asynq does
		}
		return info
	}
}

// Whichever tick of a task ends first, and however, each span gets its own result, and the
// task gets its headers back when the last has ended.
func TestTicksThatOverlap(t *testing.T) {
	t.Parallel()
	onRedis(t, func(t *testing.T, e *env) {
		own := map[string]string{"k": "v"}
		task := asynq.NewTaskWithHeaders("email:digest", nil, own)
		client := asynq.NewClient(e.redis)
		defer func() { _ = client.Close() }()
		opts := asynqtrace.SchedulerOpts(&asynq.SchedulerOpts{
			PreEnqueueFunc: func(task *asynq.Task, _ []asynq.Option) {
				if !maps.Equal(task.Headers(), own) {
					t.Errorf("before a tick the task has %v", task.Headers())
				}
			},
		}, e.options()...)
		with := func(more ...asynq.Option) entry {
			return entry{opts, client, task, append(more, asynq.Queue(e.queue))}
		}
		plain, named := with(), with(asynq.TaskID("taken"))
		first, taken, refused, last := plain.tick(), named.tick(), named.tick(), with(asynq.MaxRetry(3)).tick()
		refused()
		carried := first()
		if !maps.Equal(task.Headers(), carried.Headers) {
			t.Errorf("while ticks are under way the task has %v", task.Headers())
		}
		lastID := last().ID
		taken()
		if !maps.Equal(task.Headers(), own) {
			t.Errorf("afterwards the task has %v", task.Headers())
		}
		afterwards := plain.tick()()

		spans := e.wait(t, "enqueue "+e.queue, 5)
		for i, want := range []struct {
			id, outcome any
			overlaps    bool
		}{
			{"taken", "conflict", true}, {carried.ID, nil, false}, {lastID, nil, true}, {"taken", nil, true}, {afterwards.ID, nil, false},
		} {
			got := attributes(spans[i])
			if got["messaging.message.id"] != want.id || got["asynq.enqueue.outcome"] != want.outcome ||
				(got["asynq.scheduler.overlapping"] == true) != want.overlaps || spans[i].Parent().IsValid() {
				t.Errorf("tick %d has %v, want %+v", i, got, want)
			}
			if l := spans[i].Links(); want.overlaps && (len(l) != 1 || l[0].SpanContext.SpanID() != spans[1].SpanContext().SpanID()) {
				t.Errorf("tick %d has links %v", i, l)
			}
		}
		for info, span := range map[*asynq.TaskInfo]int{carried: 1, afterwards: 4} {
			if sc := asynqtrace.SpanContextFromTaskInfo(info, e.options()...); sc.SpanID() != spans[span].SpanContext().SpanID() {
				t.Errorf("the task carries %v, want that of tick %d", sc, span)
			}
		}
	})
}

// A user's hook may take its time, and may wait for another tick.
func TestHooksDoNotWaitForOneAnother(t *testing.T) {
	t.Parallel()
	e := newEnv(t, startRedis(t))
	client := asynq.NewClient(e.redis)
	defer func() { _ = client.Close() }()
	slow, other := asynq.NewTask("email:slow", nil, asynq.Queue(e.queue)), asynq.NewTask("email:other", nil, asynq.Queue(e.queue))
	var opts *asynq.SchedulerOpts
	ticked := 0
	tick := func() { // while a hook of the slow task is being called
		done := make(chan struct{})
		go func() { defer close(done); entry{opts, client, other, nil}.tick()() }()
		select {
		case <-done:
			ticked++
		case <-time.After(patience):
			t.Error("a hook keeps another tick waiting")
		}
	}
	opts = asynqtrace.SchedulerOpts(&asynq.SchedulerOpts{
		PreEnqueueFunc: func(task *asynq.Task, _ []asynq.Option) {
			if task.Type() == slow.Type() {
				tick()
			}
		},
		PostEnqueueFunc: func(info *asynq.TaskInfo, err error) {
			if err != nil || info.Type == slow.Type() {
				tick()
			}
		},
		EnqueueErrorHandler: func(*asynq.Task, []asynq.Option, error) { tick() }, //nolint:staticcheck // still there
	}, e.options()...)
	entry{opts, client, slow, nil}.tick()()
	taken := []asynq.Option{asynq.TaskID("taken")}
	if _, err := client.Enqueue(other, taken...); err != nil {
		t.Fatal(err)
	}
	entry{opts, client, slow, taken}.tick()()
	if ticked != 5 {
		t.Errorf("%d ticks, want one for each hook", ticked)
	}
}

// Run with -race: a task is not written to while a tick reads it.
func TestTicksOfOneTaskFromManyGoroutines(t *testing.T) {
	t.Parallel()
	e := newEnv(t, startRedis(t))
	client := asynq.NewClient(e.redis)
	defer func() { _ = client.Close() }()
	look := func(task *asynq.Task, _ []asynq.Option) { _ = len(task.Headers()) }
	opts := asynqtrace.SchedulerOpts(&asynq.SchedulerOpts{
		PreEnqueueFunc:      look,
		EnqueueErrorHandler: func(task *asynq.Task, opts []asynq.Option, _ error) { look(task, opts) }, //nolint:staticcheck // still there
	}, e.options()...)
	task := asynq.NewTask("email:digest", nil, asynq.Queue(e.queue))
	const goroutines, each = 8, 50
	var wg sync.WaitGroup
	for g := range goroutines {
		of := entry{opts, client, task, nil}
		if g%2 == 0 { // of which one tick is not refused
			of.opts = []asynq.Option{asynq.TaskID("taken")}
		}
		wg.Go(func() {
			for range each {
				of.tick()()
			}
		})
	}
	wg.Wait()
	if task.Headers() != nil {
		t.Errorf("afterwards the task has %v", task.Headers())
	}
	if n := len(e.wait(t, "enqueue "+e.queue, goroutines*each)); n != goroutines*each {
		t.Errorf("%d spans of %d ticks", n, goroutines*each)
	}
}
