package asynqtrace

import (
	"context"

	"github.com/hibiken/asynq"
	"go.opentelemetry.io/otel/attribute"
)

// underWay is the context of a handler. It shows a nested middleware that the attempt
// already has a span.
type underWay struct {
	context.Context //nolint:containedctx // it is one

	taskType string
	room     [1]attribute.KeyValue // for the attempt's outcome
}

var _ context.Context = (*underWay)(nil)

// attemptKey is the context key for an attempt: an *underWay in a handler's context, a
// *holder in asynq's own.
type attemptKey struct{}

// Value implements [context.Context].
func (u *underWay) Value(key any) any {
	if _, ok := key.(attemptKey); ok {
		return u
	}
	return u.Context.Value(key)
}

// attemptIn returns the attempt of ctx if its handler is being called, else the holder to
// put it into. Either may be nil; the methods of both work on nil.
func attemptIn(ctx context.Context) (*underWay, *holder) {
	switch of := ctx.Value(attemptKey{}).(type) {
	case *underWay:
		return of, nil
	case *holder:
		return nil, of
	default:
		return nil, nil
	}
}

// isOf reports whether the attempt is at the task, which need only have the same type: a
// wrapper may have decrypted its payload. A handler that calls another one with a task of
// another type starts a new attempt.
func (u *underWay) isOf(task *asynq.Task) bool { return u != nil && u.taskType == task.Type() }

// one returns a slice with the attribute, without allocating it.
func (u *underWay) one(a attribute.KeyValue) []attribute.KeyValue {
	u.room[0] = a
	return u.room[:]
}
