package asynqtrace_test

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"github.com/mqtrace/mqtrace/asynqtrace"
)

func enqueueRows() map[string]row {
	return map[string]row{
		"done": {
			func(s *scene) { s.ok(s.enqueue(s.task())) },
			[]span{enqueueSpan("caller", sent)},
			sendPoints("enqueue Q"),
		},
		"without a caller": {
			func(s *scene) { s.ctx = context.Background(); s.ok(s.enqueue(s.task())) },
			[]span{enqueueSpan("none", sent)},
			sendPoints("enqueue Q"),
		},
		"duplicate": {
			func(s *scene) {
				s.ok(s.enqueue(s.task(asynq.Unique(time.Minute))))
				s.is(s.enqueue(s.task(asynq.Unique(time.Minute), asynq.TaskID("t2"))), asynq.ErrDuplicateTask)
			},
			[]span{
				enqueueSpan("caller", sent),
				enqueueSpan("caller", strings.ReplaceAll(sent, "t1", "t2")+" asynq.enqueue.outcome=duplicate"),
			},
			append(sendPoints("enqueue Q"), sendPoints("enqueue Q")...),
		},
		"conflict": {
			func(s *scene) { s.ok(s.enqueue(s.task())); s.is(s.enqueue(s.task()), asynq.ErrTaskIDConflict) },
			[]span{enqueueSpan("caller", sent), enqueueSpan("caller", sent+" asynq.enqueue.outcome=conflict")},
			append(sendPoints("enqueue Q"), sendPoints("enqueue Q")...),
		},
		"batch": {
			func(s *scene) {
				client := asynqtrace.NewClient(asynq.NewClient(s.redis), s.opts()...)
				defer func() { _ = client.Close() }()
				for _, r := range client.BatchEnqueueContext(s.ctx, []*asynq.Task{s.task(), s.task(asynq.TaskID("t2"))}) {
					s.ok(r.Err)
				}
			},
			[]span{enqueueSpan("caller", sent), enqueueSpan("caller", strings.ReplaceAll(sent, "t1", "t2"))},
			append(sendPoints("enqueue Q"), sendPoints("enqueue Q")...),
		},
		"failed": {
			func(s *scene) {
				host := asynq.NewClient(s.redis)
				s.ok(host.Close())
				_, err := asynqtrace.NewClient(host, s.opts()...).EnqueueContext(s.ctx, s.task())
				s.is(err, redis.ErrClosed)
			},
			[]span{{"enqueue Q", "producer", "caller", nil, sent + " error.type=*errors.errorString", true}},
			sendPoints("enqueue Q *errors.errorString"),
		},
	}
}

func groupRows() map[string]row {
	cfg := asynq.Config{
		GroupGracePeriod: time.Second, GroupMaxSize: 2,
		GroupAggregator: asynq.GroupAggregatorFunc(func(string, []*asynq.Task) *asynq.Task {
			return asynq.NewTask("email:welcome", nil, asynq.TaskID("t1"), asynq.MaxRetry(1))
		}),
	}
	return map[string]row{
		"done": {
			func(s *scene) {
				s.ok(s.enqueue(s.task(asynq.Group("g"), asynq.TaskID("t2"))))
				s.ok(s.enqueue(s.task(asynq.Group("g"), asynq.TaskID("t3"))))
				s.work(4, cfg, returning(nil))
			},
			[]span{
				enqueueSpan("caller", strings.ReplaceAll(sent, "t1", "t2")),
				enqueueSpan("caller", strings.ReplaceAll(sent, "t1", "t3")),
				{"aggregate Q", "producer", "none", []string{"enqueue Q#1", "enqueue Q#2"}, "messaging.destination.name=Q asynq.task.type=email:welcome asynq.group=g messaging.batch.message_count=2", false},
				{"process Q", "consumer", "aggregate Q", []string{"aggregate Q"}, processed + "0 asynq.task.outcome=done", false},
			},
			slices.Concat(sendPoints("enqueue Q"), sendPoints("enqueue Q"), sendPoints("aggregate Q"), processPoints("done")),
		},
	}
}

func tickRows() map[string]row {
	return map[string]row{
		"done": {
			func(s *scene) {
				s.tick(s.task())
			},
			[]span{enqueueSpan("none", sent)},
			sendPoints("enqueue Q"),
		},
		"conflict": {
			func(s *scene) {
				s.put(s.task())
				s.tick(s.task())
			},
			[]span{enqueueSpan("none", sent+" asynq.enqueue.outcome=conflict")},
			sendPoints("enqueue Q"),
		},
	}
}

// schedule starts a scheduler with asynqtrace around the hooks.
func (s *scene) schedule(hooks *asynq.SchedulerOpts, more ...asynqtrace.Option) *asynq.Scheduler {
	s.Helper()
	opts := asynqtrace.SchedulerOpts(hooks, s.opts(more...)...)
	opts.LogLevel = asynq.FatalLevel
	sch := asynq.NewScheduler(s.redis, opts)
	s.ok(sch.Start())
	s.Cleanup(sch.Shutdown)
	return sch
}

func (s *scene) register(sch *asynq.Scheduler, task *asynq.Task, opts ...asynq.Option) {
	s.Helper()
	_, err := sch.Register("@every 1s", task, opts...)
	s.ok(err)
}
