package asynqtrace

import (
	"context"
	"unsafe"

	"github.com/hibiken/asynq"
	"go.opentelemetry.io/otel/attribute"
)

// underWay is the context of a handler. By it, a middleware within another one knows that
// the attempt has its span.
type underWay struct {
	context.Context //nolint:containedctx // it is one

	taskType string
	room     [1]attribute.KeyValue // for what the attempt ends with
}

var _ context.Context = (*underWay)(nil)

// attemptKey is the key of what a context has about an attempt: an *underWay in that of
// a handler, a *holder in asynq's own.
type attemptKey struct{}

// Value implements [context.Context].
func (u *underWay) Value(key any) any {
	if _, ok := key.(attemptKey); ok {
		return u
	}
	return u.Context.Value(key)
}

// attemptIn returns the attempt that ctx is of, if its handler is being called, or else
// where to put it. Either may be nil, and all methods of both work on that.
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

// isOf reports whether the attempt is one at the task: at the same, or at one of the same
// type, as that of a wrapper which has decrypted its payload. A handler that calls another
// one with a task of another type starts something of its own.
func (u *underWay) isOf(task *asynq.Task) bool { return u != nil && u.taskType == task.Type() }

// one returns a slice of the attribute without allocating it.
func (u *underWay) one(a attribute.KeyValue) []attribute.KeyValue {
	u.room[0] = a
	return u.room[:]
}

// A delivery is a task that asynq has taken from its queue. It has a new value for each
// time that it does so. Of that there is the address only, so that tasks that have failed
// are not kept: identifier and count tell it from another task that comes to be at the
// same address.
type delivery struct {
	task    uintptr
	id      string
	retried int
}

func deliveryOf(task *asynq.Task, a *attempt) delivery {
	return delivery{uintptr(unsafe.Pointer(task)), a.taskID, a.retried} //nolint:gosec // never made a pointer again
}
