package asynqtrace_test

import (
	"errors"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"go.opentelemetry.io/otel/codes"

	"github.com/mqtrace/mqtrace/asynqtrace"
)

func TestRefusedTasks(t *testing.T) {
	onRedis(t, func(t *testing.T, e *env) {
		client := e.client(t)
		unique := asynq.NewTask("email:welcome", nil, asynq.Queue(e.queue), asynq.Unique(time.Minute))
		named := asynq.NewTask("email:other", nil, asynq.Queue(e.queue), asynq.TaskID("taken"))
		for _, task := range []*asynq.Task{unique, named} {
			if _, err := client.Enqueue(task); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := client.Enqueue(unique); !errors.Is(err, asynq.ErrDuplicateTask) {
			t.Errorf("error %v", err)
		}
		if _, err := client.Enqueue(named); !errors.Is(err, asynq.ErrTaskIDConflict) {
			t.Errorf("error %v", err)
		}
		for _, s := range e.wait(t, "enqueue "+e.queue, 4) {
			if s.Status().Code != codes.Unset || attributes(s)["error.type"] != nil {
				t.Errorf("a refusal that the caller asked for is an error: %v %v", s.Status(), attributes(s))
			}
		}
	})
}

func TestEnqueueFailure(t *testing.T) {
	onRedis(t, func(t *testing.T, e *env) {
		client := e.client(t)
		if _, err := client.Enqueue(nil); err == nil {
			t.Error("no error for a nil task")
		}
		_, want := client.Client.Enqueue(asynq.NewTask(" ", nil))
		if _, err := client.Enqueue(asynq.NewTask(" ", nil)); err == nil || err.Error() != want.Error() {
			t.Errorf("error %v, want asynq's %v", err, want)
		}
		s := e.wait(t, "enqueue default", 1)[0]
		if s.Status().Code != codes.Error || s.Status().Description != want.Error() || len(s.Events()) != 0 {
			t.Errorf("status %v, events %v", s.Status(), s.Events())
		}
	})
}

func TestServerThatDoesNotAnswer(t *testing.T) {
	e := newEnv(t, startRedis(t))
	client := asynqtrace.NewClient(asynq.NewClient(
		asynq.RedisClientOpt{Addr: "127.0.0.1:1", DialTimeout: time.Second}), e.options()...)
	defer func() { _ = client.Close() }()
	_, err := client.Enqueue(asynq.NewTask("email:welcome", nil, asynq.Queue(e.queue)))
	if err == nil {
		t.Fatal("no error")
	}
	s := e.wait(t, "enqueue "+e.queue, 1)[0]
	if s.Status().Code != codes.Error || s.Status().Description != err.Error() {
		t.Errorf("status %v, want %v", s.Status(), err)
	}
}
