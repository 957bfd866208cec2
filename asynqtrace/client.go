package asynqtrace

import (
	"context"

	"github.com/hibiken/asynq"
)

// Client is an *asynq.Client whose tasks carry the trace they belong to. It is safe
// for concurrent use. Create one with [NewClient]. For code that wants an *asynq.Client see
// the package documentation: the one within enqueues without a trace.
type Client struct {
	*asynq.Client

	producer producer
}

// NewClient returns a client that enqueues by way of client and has all of its
// other methods.
func NewClient(client *asynq.Client, opts ...Option) *Client {
	return &Client{Client: client, producer: newProducer(opts)}
}

// Enqueue is [Client.EnqueueContext] with the background context, which has no
// trace: the task starts one of its own.
func (c *Client) Enqueue(task *asynq.Task, opts ...asynq.Option) (*asynq.TaskInfo, error) {
	return c.EnqueueContext(context.Background(), task, opts...)
}

// EnqueueContext is asynq.Client's method of that name with a PRODUCER span around
// it, a child of the span of ctx. The span's context goes into the headers of a
// copy of the task: the task itself and its options stay as they are, so one task
// can be enqueued many times and from many goroutines.
//
// The answer and the error are asynq's own. A task that is a duplicate or whose
// identifier is taken was refused on the caller's request, so it does not make the
// span an error: asynq.enqueue.outcome says duplicate or conflict.
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
