package asynqtrace

import (
	"context"

	"github.com/hibiken/asynq"
)

// Client is an *asynq.Client whose tasks carry their trace context. It is safe for
// concurrent use. Create one with [NewClient]. The embedded client enqueues without a
// trace; for code that needs an *asynq.Client, see the package documentation.
type Client struct {
	*asynq.Client

	producer producer
}

// NewClient returns a client that enqueues through client and has all of its other methods.
func NewClient(client *asynq.Client, opts ...Option) *Client {
	return &Client{Client: client, producer: newProducer(opts)}
}

// Enqueue is [Client.EnqueueContext] with the background context, so the task starts a new
// trace.
func (c *Client) Enqueue(task *asynq.Task, opts ...asynq.Option) (*asynq.TaskInfo, error) {
	return c.EnqueueContext(context.Background(), task, opts...)
}

// EnqueueContext is asynq.Client's EnqueueContext with a PRODUCER span around it, a child
// of the span in ctx. The span's context goes into the headers of a copy of the task: the
// task itself and its options stay as they are, so one task can be enqueued many times and
// from many goroutines.
//
// The result and the error are asynq's own. A task that is a duplicate or whose identifier
// is taken is refused at the caller's request, so the span is not an error:
// asynq.enqueue.outcome is duplicate or conflict.
func (c *Client) EnqueueContext(
	ctx context.Context, task *asynq.Task, opts ...asynq.Option,
) (*asynq.TaskInfo, error) {
	if task == nil {
		return c.Client.EnqueueContext(ctx, task, opts...) // asynq's error
	}
	s := c.producer.send(ctx, task, opts, false)
	var info *asynq.TaskInfo
	var err error
	returned := false
	defer func() { s.end(info, err, returned) }()

	if l, layoutErr := layout(); layoutErr == nil {
		task = l.withHeaders(task, c.producer.headers(ctx, &s, task))
	}
	info, err = c.Client.EnqueueContext(s.ctx, task, opts...)
	returned = true
	return info, err
}
