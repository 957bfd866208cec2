package asynqtrace_test

import (
	"errors"
	"testing"

	"github.com/hibiken/asynq"
	"go.opentelemetry.io/otel/codes"

	"github.com/mqtrace/mqtrace/asynqtrace"
)

// Works both with an asynq that has batches and with one that does not.
func TestBatchEnqueue(t *testing.T) {
	onRedis(t, func(t *testing.T, e *env) {
		ctx, request := e.request(t)
		task := asynq.NewTask("email:welcome", nil, asynq.Queue(e.queue), asynq.MaxRetry(7))
		tasks := []*asynq.Task{task, nil, asynq.NewTask(" ", nil, asynq.Queue(e.queue)), task}
		results := e.client(t).BatchEnqueueContext(ctx, tasks)
		if len(results) != len(tasks) {
			t.Fatalf("%d results of %d tasks", len(results), len(tasks))
		}
		spans := e.wait(t, "enqueue "+e.queue, 3)
		span := 0
		for i, r := range results {
			if tasks[i] == nil {
				if r.Err == nil {
					t.Error("no error for a nil task")
				}
				continue
			}
			s := spans[span]
			span++
			if s.Parent().SpanID() != request.SpanContext().SpanID() {
				t.Errorf("task %d: parent %v", i, s.Parent())
			}
			if r.Err != nil {
				if i != 2 || s.Status().Code != codes.Error || s.Status().Description != r.Err.Error() {
					t.Errorf("task %d: %v, the span has %v", i, r.Err, s.Status())
				}
				continue
			}
			if sc := asynqtrace.SpanContextFromTaskInfo(r.TaskInfo, e.options()...); sc.SpanID() != s.SpanContext().SpanID() {
				t.Errorf("task %d carries %v, want %v", i, sc, s.SpanContext())
			}
			if got := attributes(s); r.TaskInfo.MaxRetry != 7 || got["messaging.message.id"] != r.TaskInfo.ID || got["asynq.task.type"] != "email:welcome" {
				t.Errorf("task %d is %+v, with %v", i, r.TaskInfo, got)
			}
		}
		if task.Headers() != nil {
			t.Errorf("the caller's task became %v", task.Headers())
		}
		inspector := asynq.NewInspector(e.redis)
		defer func() { _ = inspector.Close() }()
		if q, err := inspector.GetQueueInfo(e.queue); err != nil || q.Pending != 2 {
			t.Errorf("the queue has %+v, %v", q, err)
		}
	})
}

func TestBatchEnqueueOfOddKinds(t *testing.T) {
	e := newEnv(t, startRedis(t))
	client := e.client(t)
	if r := client.BatchEnqueueContext(noContext, nil); len(r) != 0 {
		t.Errorf("no tasks have %v", r)
	}
	task := asynq.NewTask("email:welcome", nil, asynq.Queue(e.queue))
	if r := client.BatchEnqueueContext(noContext, []*asynq.Task{task}); len(r) != 1 || r[0].Err != nil {
		t.Errorf("results %v", r)
	}
	defer asynqtrace.BreakLayout(errors.New("unknown layout"))()
	if r := client.BatchEnqueueContext(noContext, []*asynq.Task{task}, asynq.Queue(e.queue)); len(r) != 1 || r[0].Err != nil || len(r[0].TaskInfo.Headers) != 0 {
		t.Errorf("results %v", r)
	}
}
