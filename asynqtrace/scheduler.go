package asynqtrace

import (
	"context"
	"sync"

	"github.com/hibiken/asynq"
)

// SchedulerOpts returns a copy of host, which may be nil, whose hooks give each tick
// of a Scheduler or a PeriodicTaskManager a trace of its own: a PRODUCER span, a root,
// whose context the task carries. The hooks of host are called as before:
//
//	sch := asynq.NewScheduler(redis, asynqtrace.SchedulerOpts(&asynq.SchedulerOpts{…}))
//
// asynq enqueues one task value at each tick and tells the hook that comes after
// neither the task nor the entry. So the task carries its context only while it is
// being enqueued, and a lock lets one tick do so at a time. With this, entries may
// share a task. Two schedulers, or a scheduler and a [Client], must not: they have no
// lock in common. Nor may the hooks of the returned options be replaced; set them on
// host.
func SchedulerOpts(host *asynq.SchedulerOpts, opts ...Option) *asynq.SchedulerOpts {
	var cp asynq.SchedulerOpts
	if host != nil {
		cp = *host
	}
	s := &schedule{producer: newProducer(opts), host: cp}
	cp.PreEnqueueFunc = s.before
	cp.PostEnqueueFunc = s.after
	if cp.EnqueueErrorHandler != nil { //nolint:staticcheck // deprecated, and still called
		cp.EnqueueErrorHandler = s.failed //nolint:staticcheck // likewise
	}
	return &cp
}

// schedule follows the ticks of a scheduler.
type schedule struct {
	producer

	host asynq.SchedulerOpts // the user's hooks

	// Held from before to after a tick's enqueue.
	mu   sync.Mutex
	tick tick
}

// tick is one enqueue under way.
type tick struct {
	sending

	task    *asynq.Task // nil where its headers were left alone
	headers map[string]string
}

// before is called with the very task that will be enqueued. The user's hook is
// called under the lock: it may look at a task that other entries enqueue too.
func (s *schedule) before(task *asynq.Task, opts []asynq.Option) {
	s.mu.Lock()
	if s.host.PreEnqueueFunc != nil {
		s.host.PreEnqueueFunc(task, opts)
	}
	s.tick = tick{}
	if task == nil {
		return // asynq has an error for it
	}
	s.tick.sending = s.send(context.Background(), task, opts, true)
	if l, err := layout(); err == nil {
		s.tick.task, s.tick.headers = task, task.Headers()
		l.setHeaders(task, s.headers(s.tick.ctx, task))
	}
}

// after is called whether the task was enqueued or not.
func (s *schedule) after(info *asynq.TaskInfo, err error) {
	done := s.tick
	s.tick = tick{}
	if l, layoutErr := layout(); layoutErr == nil && done.task != nil {
		l.setHeaders(done.task, done.headers)
	}
	s.mu.Unlock()
	done.end(info, err, true)
	if s.host.PostEnqueueFunc != nil {
		s.host.PostEnqueueFunc(info, err)
	}
}

// failed calls the user's handler, with a task that other entries may share.
func (s *schedule) failed(task *asynq.Task, opts []asynq.Option, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.host.EnqueueErrorHandler(task, opts, err) //nolint:staticcheck // deprecated, and still called
}
