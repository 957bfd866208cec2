package asynqtrace

import (
	"context"

	"github.com/hibiken/asynq"
)

// SchedulerOpts returns a copy of host, which may be nil, whose hooks give each tick of a
// Scheduler or a PeriodicTaskManager a trace of its own, with a PRODUCER span as root whose
// context the task carries. The hooks of host are called as before, the first with a copy
// of the task, since other ticks may be enqueueing the task itself:
//
//	sch := asynq.NewScheduler(redis, asynqtrace.SchedulerOpts(&asynq.SchedulerOpts{…}))
//
// asynq enqueues the same task value at each tick, so the task carries the context of a
// tick only while it is being enqueued. A tick that begins before an earlier one of the
// same task value has ended, because entries share the task or Redis is slow, does not
// wait: its task carries the context of the earlier tick. Its own span has
// asynq.scheduler.overlapping and links to the earlier tick's span.
//
// Two schedulers, or a scheduler and a [Client], must not share a task, since they do not
// know about each other's ticks. Do not replace hooks of the returned options; set them on
// host.
func SchedulerOpts(host *asynq.SchedulerOpts, opts ...Option) *asynq.SchedulerOpts {
	var cp asynq.SchedulerOpts
	if host != nil {
		cp = *host
	}
	s := &schedule{producer: newProducer(opts), host: cp}
	cp.PreEnqueueFunc = s.before
	cp.PostEnqueueFunc = s.after
	cp.EnqueueErrorHandler = s.failed //nolint:staticcheck // deprecated, and the only hook that says which task failed
	return &cp
}

// schedule follows the ticks of a scheduler. asynq calls its methods from the tick's
// goroutine, one for each tick that is due.
type schedule struct {
	producer

	host  asynq.SchedulerOpts // the user's hooks
	ticks ticks
}

// before is called with the task that will be enqueued, not a copy.
func (s *schedule) before(task *asynq.Task, opts []asynq.Option) {
	own := s.ticks.own(task)
	if s.host.PreEnqueueFunc != nil {
		s.host.PreEnqueueFunc(own, opts)
	}
	if task == nil {
		return // asynq returns an error for it
	}
	t := &tick{sending: s.send(context.Background(), own, opts, true), task: task, opts: opts}
	if _, err := layout(); err == nil {
		t.headers = s.headers(context.Background(), &t.sending, own)
	}
	s.ticks.add(t)
}

// after is called whether or not the task was enqueued. If it was not, the task is unknown
// until failed is called.
func (s *schedule) after(info *asynq.TaskInfo, err error) {
	if info != nil {
		if t := s.ticks.enqueued(info); t != nil {
			s.ticks.remove(t)
			t.end(info, err, true)
		}
	}
	if s.host.PostEnqueueFunc != nil {
		s.host.PostEnqueueFunc(info, err)
	}
}

// asynq calls failed once after has returned. The tick ends after the call of the user's
// handler, so that the task does not change while the handler uses it.
func (s *schedule) failed(task *asynq.Task, opts []asynq.Option, err error) {
	t := s.ticks.failed(task, opts)
	if t != nil {
		t.end(nil, err, true)
	}
	if s.host.EnqueueErrorHandler != nil { //nolint:staticcheck // deprecated, and still called
		s.host.EnqueueErrorHandler(task, opts, err) //nolint:staticcheck // likewise
	}
	if t != nil {
		s.ticks.remove(t)
	}
}
