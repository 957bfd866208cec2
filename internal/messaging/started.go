package messaging

import (
	"context"
	"time"
)

// started is a context for an operation that has started already.
type started struct {
	context.Context

	at time.Time
}

// StartedAt returns a context that makes a span started by hand begin at an earlier time,
// for operations that the auto module learns about late.
func StartedAt(ctx context.Context, at time.Time) context.Context {
	if at.IsZero() {
		return ctx
	}
	return &started{ctx, at}
}

// StartTime undoes [StartedAt]: it returns the context and the time passed to it, or ctx
// and the zero time if ctx is not its result. It does not look at the parents of ctx.
func StartTime(ctx context.Context) (context.Context, time.Time) {
	if s, ok := ctx.(*started); ok {
		return s.Context, s.at
	}
	return ctx, time.Time{}
}
