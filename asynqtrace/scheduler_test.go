package asynqtrace_test

import (
	"errors"
	"maps"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"go.opentelemetry.io/otel/trace"

	"github.com/mqtrace/mqtrace/asynqtrace"
)

// entries provides two periodic entries that share a task.
type entries struct{ task *asynq.Task }

func (c entries) GetConfigs() ([]*asynq.PeriodicTaskConfig, error) {
	return []*asynq.PeriodicTaskConfig{
		{Cronspec: "@every 1s", Task: c.task},
		{Cronspec: "@every 1s", Task: c.task, Opts: []asynq.Option{asynq.MaxRetry(3)}},
	}, nil
}

// Each tick is a new trace, even if entries share a task and fire at once, and the task is
// left unchanged. What overlapping ticks enqueue is in the trace of the first.
func TestTicksAreTheirOwnTraces(t *testing.T) {
	t.Parallel()
	start := map[string]func(s *scene, task *asynq.Task, hooks *asynq.SchedulerOpts) (stop func()){
		"Scheduler": func(s *scene, task *asynq.Task, hooks *asynq.SchedulerOpts) func() {
			sch := s.schedule(hooks)
			for range 4 {
				s.register(sch, task)
			}
			return sch.Shutdown
		},
		"PeriodicTaskManager": func(s *scene, task *asynq.Task, hooks *asynq.SchedulerOpts) func() {
			opts := asynqtrace.SchedulerOpts(hooks, s.opts()...)
			opts.LogLevel = asynq.FatalLevel
			manager, err := asynq.NewPeriodicTaskManager(asynq.PeriodicTaskManagerOpts{
				RedisConnOpt: s.redis, SchedulerOpts: opts, PeriodicTaskConfigProvider: entries{task},
			})
			s.ok(err)
			s.ok(manager.Start())
			return manager.Shutdown
		},
	}
	for name, start := range start {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onRedis(t, func(t *testing.T, e *env) {
				s := newScene(t, e)
				task := asynq.NewTaskWithHeaders("email:digest", nil, map[string]string{"k": "v"}, asynq.Queue(s.queue))
				var before atomic.Int64
				var mu sync.Mutex
				carried := make(map[trace.TraceID]bool)
				stop := start(s, task, &asynq.SchedulerOpts{
					PreEnqueueFunc: func(own *asynq.Task, _ []asynq.Option) {
						before.Add(1)
						if !maps.Equal(own.Headers(), map[string]string{"k": "v"}) {
							t.Errorf("before the tick the task has %v", own.Headers())
						}
					},
					PostEnqueueFunc: func(info *asynq.TaskInfo, err error) {
						if err != nil || info.Headers["k"] != "v" {
							t.Errorf("enqueued %+v, %v", info, err)
							return
						}
						mu.Lock()
						defer mu.Unlock()
						carried[asynqtrace.SpanContextFromTaskInfo(info, s.opts()...).TraceID()] = true
					},
				})
				s.until(4)
				stop()
				ticks := s.ours()
				all, traces := make(map[trace.TraceID]bool), make(map[trace.TraceID]bool)
				for _, tick := range ticks {
					all[tick.SpanContext().TraceID()] = true
					if overlapping := attributes(tick)["asynq.scheduler.overlapping"]; overlapping == nil {
						traces[tick.SpanContext().TraceID()] = true
					} else if l := tick.Links(); overlapping != true || len(l) != 1 || !carried[l[0].SpanContext.TraceID()] {
						t.Errorf("a tick that overlaps (%v) has links %v", overlapping, l)
					}
					if tick.Parent().IsValid() || tick.SpanKind() != trace.SpanKindProducer || tick.Name() != "enqueue "+s.queue {
						t.Errorf("tick %q of kind %v with parent %v", tick.Name(), tick.SpanKind(), tick.Parent())
					}
				}
				if len(all) != len(ticks) || !maps.Equal(traces, carried) || int(before.Load()) != len(ticks) {
					t.Errorf("%d ticks in %d traces, tasks carry %d, %d hooks", len(ticks), len(all), len(carried), before.Load())
				}
				if !maps.Equal(task.Headers(), map[string]string{"k": "v"}) {
					t.Errorf("afterwards the task has %v", task.Headers())
				}
			})
		})
	}
}

// A tick that asynq cannot enqueue does not keep its headers.
func TestTickThatFails(t *testing.T) {
	e := newEnv(t, startRedis(t))
	var failed []*asynq.Task
	opts := asynqtrace.SchedulerOpts(&asynq.SchedulerOpts{
		Location: time.Local,
		EnqueueErrorHandler: func(task *asynq.Task, _ []asynq.Option, _ error) { //nolint:staticcheck // still there
			failed = append(failed, task)
		},
	}, e.options()...)
	task := asynq.NewTask("email:digest", nil)
	for _, task := range []*asynq.Task{task, nil, task} {
		opts.PreEnqueueFunc(task, []asynq.Option{asynq.Queue(e.queue)})
		if task != nil && task.Headers()["traceparent"] == "" {
			t.Errorf("the task carries %v", task.Headers())
		}
		opts.PostEnqueueFunc(nil, errFailed)
		opts.EnqueueErrorHandler(task, nil, errFailed) //nolint:staticcheck // still there
	}
	if task.Headers() != nil || len(failed) != 3 || failed[0] != task || opts.Location != time.Local {
		t.Errorf("headers %v, failed %v", task.Headers(), failed)
	}
	for _, s := range e.wait(t, "enqueue "+e.queue, 2) {
		if attributes(s)["error.type"] == nil {
			t.Errorf("attributes %v", attributes(s))
		}
	}
	// With an unknown layout the task is left alone, and the tick has its span.
	defer asynqtrace.BreakLayout(errors.New("unknown layout"))()
	plain := asynqtrace.SchedulerOpts(nil, e.options()...)
	plain.PreEnqueueFunc(task, []asynq.Option{asynq.Queue(e.queue)})
	if task.Headers() != nil {
		t.Errorf("headers %v", task.Headers())
	}
	plain.PostEnqueueFunc(&asynq.TaskInfo{Queue: e.queue}, nil)
	e.wait(t, "enqueue "+e.queue, 3)
}
