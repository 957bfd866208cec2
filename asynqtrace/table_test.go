package asynqtrace_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hibiken/asynq"

	"github.com/mqtrace/mqtrace/asynqtrace"
)

// The attributes of spans about the task t1 in Q.
const (
	sent      = "messaging.destination.name=Q asynq.task.type=email:welcome messaging.message.id=t1"
	processed = sent + " asynq.task.max_retry=1 asynq.task.retry_count="
)

// sendPoints returns the points of one operation, with an error type, on a task.
func sendPoints(operation string) []string {
	return []string{
		"client.operation.duration " + operation + " email:welcome", "client.sent.messages " + operation + " email:welcome",
	}
}

// processPoints returns the points of attempts, each with its outcome and an error type.
func processPoints(attempts ...string) []string {
	var points []string
	for _, a := range attempts {
		o, errorType, failed := strings.Cut(a, " ")
		if failed {
			errorType += " "
		}
		points = append(points, "process.duration process Q "+errorType+"email:welcome "+o,
			"client.consumed.messages process Q "+errorType+"email:welcome "+o, "mqtrace.messages.settled process Q email:welcome "+o)
	}
	return points
}

func processSpan(attributes string, failed bool) span {
	return span{"process Q", "consumer", "caller", []string{"caller"}, processed + attributes, failed}
}

func enqueueSpan(parent, attributes string) span {
	return span{"enqueue Q", "producer", parent, nil, attributes, false}
}

var errFailed = errors.New("no mail server")

func returning(err error) asynq.HandlerFunc {
	return func(context.Context, *asynq.Task) error { return err }
}

type row struct {
	run    func(s *scene)
	spans  []span
	points []string
}

func TestEveryOperationAndOutcome(t *testing.T) {
	t.Parallel()
	for name, tests := range map[string]map[string]row{
		"enqueue": enqueueRows(), "process": processRows(), "aggregate": groupRows(), "tick": tickRows(),
	} {
		for outcome, tt := range tests {
			t.Run(name+" "+outcome, func(t *testing.T) {
				t.Parallel()
				onRedis(t, func(t *testing.T, e *env) {
					s := newScene(t, e)
					tt.run(s)
					s.check(tt.spans)
					if got, want := s.points(), slices.Sorted(slices.Values(tt.points)); !slices.Equal(got, want) {
						t.Errorf("metric points\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
					}
				})
			})
		}
	}
}

func processRows() map[string]row {
	return map[string]row{
		"done": {
			func(s *scene) { s.put(s.task()); s.work(1, asynq.Config{}, returning(nil)) },
			[]span{processSpan("0 asynq.task.outcome=done", false)},
			processPoints("done"),
		},
		"with queue time": {
			func(s *scene) {
				s.ok(s.enqueue(s.task(), asynqtrace.WithQueueTime()))
				s.work(2, asynq.Config{}, returning(nil), asynqtrace.WithQueueTime(),
					asynqtrace.WithRelation(asynqtrace.NewTrace))
				s.Reset() // the time differs; see TestQueueTime
			},
			nil,
			append(append(sendPoints("enqueue Q"), processPoints("done")...), "mqtrace.queue_time process Q"),
		},
		"without context": {
			func(s *scene) {
				client := asynq.NewClient(s.redis)
				defer func() { _ = client.Close() }()
				_, err := client.Enqueue(s.task())
				s.ok(err)
				s.work(1, asynq.Config{}, returning(nil))
			},
			[]span{{"process Q", "consumer", "none", nil, processed + "0 asynq.task.outcome=done", false}},
			append(processPoints("done"), "mqtrace.messages.without_context process Q"),
		},
		"done, under two middlewares": {
			func(s *scene) {
				s.put(s.task())
				inner := asynqtrace.Middleware(s.opts()...)(returning(nil))
				s.work(1, asynq.Config{}, inner.ProcessTask)
			},
			[]span{processSpan("0 asynq.task.outcome=done", false)},
			processPoints("done"),
		},
		"retry and exhausted, under two middlewares": {
			func(s *scene) {
				s.put(s.task())
				inner := asynqtrace.Middleware(s.opts()...)(returning(errFailed))
				s.work(2, asynq.Config{}, inner.ProcessTask)
			},
			[]span{
				processSpan("0 asynq.task.outcome=retry error.type=*errors.errorString", true),
				processSpan("1 asynq.task.outcome=exhausted error.type=*errors.errorString", true),
			},
			processPoints("retry *errors.errorString", "exhausted *errors.errorString"),
		},
		"retry and exhausted": {
			func(s *scene) { s.put(s.task()); s.work(2, asynq.Config{}, returning(errFailed)) },
			[]span{
				processSpan("0 asynq.task.outcome=retry error.type=*errors.errorString", true),
				processSpan("1 asynq.task.outcome=exhausted error.type=*errors.errorString", true),
			},
			processPoints("retry *errors.errorString", "exhausted *errors.errorString"),
		},
		"retry and exhausted, of which one is an error": {
			func(s *scene) {
				s.put(s.task())
				s.work(2, asynq.Config{}, returning(errFailed), asynqtrace.WithErrorOnlyWhenExhausted())
			},
			[]span{
				processSpan("0 asynq.task.outcome=retry", false),
				processSpan("1 asynq.task.outcome=exhausted error.type=*errors.errorString", true),
			},
			processPoints("retry", "exhausted *errors.errorString"),
		},
		"skipped": {
			func(s *scene) { s.put(s.task()); s.work(1, asynq.Config{}, returning(asynq.SkipRetry)) },
			[]span{processSpan("0 asynq.task.outcome=skipped error.type=*errors.errorString", true)},
			processPoints("skipped *errors.errorString"),
		},
		"revoked": {
			func(s *scene) { s.put(s.task()); s.work(1, asynq.Config{}, returning(asynq.RevokeTask)) },
			[]span{processSpan("0 asynq.task.outcome=revoked", false)},
			processPoints("revoked"),
		},
		"panic": {
			func(s *scene) {
				s.put(s.task(asynq.MaxRetry(0)))
				s.work(1, asynq.Config{}, func(context.Context, *asynq.Task) error { panic("poison") })
			},
			[]span{{"process Q", "consumer", "caller", []string{"caller"}, sent +
				" asynq.task.max_retry=0 asynq.task.retry_count=0 asynq.task.outcome=exhausted error.type=panic", true}},
			processPoints("exhausted panic"),
		},
		"deadline": {
			func(s *scene) {
				s.put(s.task(asynq.Timeout(time.Second), asynq.MaxRetry(1)))
				var calls atomic.Int64
				s.work(2, asynq.Config{}, func(ctx context.Context, _ *asynq.Task) error {
					if calls.Add(1) == 1 {
						<-ctx.Done()
						return ctx.Err()
					}
					return nil
				})
			},
			[]span{
				processSpan("0 asynq.task.outcome=deadline error.type=context.DeadlineExceeded", true),
				processSpan("1 asynq.task.outcome=done", false),
			},
			processPoints("deadline context.DeadlineExceeded", "done"),
		},
		"expired before its handler": {
			func(s *scene) {
				s.put(s.task(asynq.Deadline(time.Now().Add(-time.Minute)), asynq.MaxRetry(1)))
				s.work(2, asynq.Config{}, func(context.Context, *asynq.Task) error { panic("was called") })
			},
			[]span{
				processSpan("0 asynq.task.outcome=deadline error.type=context.DeadlineExceeded", true),
				processSpan("1 asynq.task.outcome=deadline error.type=context.DeadlineExceeded", true),
			},
			processPoints("deadline context.DeadlineExceeded", "deadline context.DeadlineExceeded"),
		},
		"cancelled": {
			func(s *scene) {
				s.put(s.task())
				started := make(chan struct{})
				stop := s.serveWith(s.T, asynqtrace.Config(s.queues(asynq.Config{ShutdownTimeout: time.Millisecond}), s.opts()...),
					func(ctx context.Context, _ *asynq.Task) error {
						close(started)
						<-ctx.Done()
						return ctx.Err()
					}, s.opts()...)
				<-started
				stop()
				s.until(1)
			},
			[]span{processSpan("0 asynq.task.outcome=cancelled error.type=context.Canceled", true)},
			processPoints("cancelled context.Canceled"),
		},
	}
}
