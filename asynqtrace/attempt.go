package asynqtrace

import (
	"context"
	"errors"

	"github.com/hibiken/asynq"

	"github.com/mqtrace/mqtrace/internal/messaging"
)

// attempt is what asynq's context contains about an attempt at a task: nothing if a handler
// is called without a server, as in a test.
type attempt struct {
	queue, taskID     string
	retried, maxRetry int
	known             bool
}

func attemptOf(ctx context.Context) attempt {
	var a attempt
	a.taskID, _ = asynq.GetTaskID(ctx)
	a.queue, _ = asynq.GetQueueName(ctx)
	a.retried, a.known = asynq.GetRetryCount(ctx)
	a.maxRetry, _ = asynq.GetMaxRetry(ctx)
	return a
}

// destination returns the queue, which has low cardinality.
func (a attempt) destination() messaging.Destination { return messaging.Destination{Name: a.queue} }

// outcome is what asynq does with the task after the attempt.
type outcome string

const (
	outcomeDone      outcome = "done"
	outcomeRetry     outcome = "retry"     // failed, will be tried again
	outcomeExhausted outcome = "exhausted" // failed with no retry left, archived
	outcomeSkipped   outcome = "skipped"   // failed with asynq.SkipRetry, archived
	outcomeRevoked   outcome = "revoked"   // asynq.RevokeTask, neither retried nor archived
	outcomeCancelled outcome = "cancelled" // the server stopped or lost its lease, or the task was cancelled
	outcomeDeadline  outcome = "deadline"  // the task's timeout or deadline passed
)

// outcome follows asynq's processor, which no longer waits for the handler once the context
// is done, whatever the handler returns.
func (a attempt) outcome(ctxErr, err error, returned bool) outcome {
	switch {
	case errors.Is(ctxErr, context.DeadlineExceeded):
		return outcomeDeadline
	case ctxErr != nil:
		return outcomeCancelled
	case returned && err == nil:
		return outcomeDone
	case messaging.Is(err, asynq.RevokeTask):
		return outcomeRevoked
	case messaging.Is(err, asynq.SkipRetry):
		return outcomeSkipped
	case a.known && a.retried >= a.maxRetry:
		return outcomeExhausted
	default:
		return outcomeRetry
	}
}

// givesUp reports whether asynq will not try the task again. A cancelled attempt does not
// count, since it looks like a shutdown, after which asynq does try again.
func (a attempt) givesUp(o outcome) bool {
	switch o {
	case outcomeExhausted, outcomeSkipped:
		return true
	case outcomeDeadline:
		return a.known && a.retried >= a.maxRetry
	default:
		return false
	}
}
