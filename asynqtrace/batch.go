package asynqtrace

import (
	"context"
	"reflect"
	"sync"

	"github.com/hibiken/asynq"
)

// BatchEnqueueResult is asynq's type of that name, which asynq 0.26 does not have yet. It is
// what [Client.EnqueueContext] would return for the task.
type BatchEnqueueResult struct {
	TaskInfo *asynq.TaskInfo // nil if Err is not
	Err      error
}

// BatchEnqueueContext is the method of that name that asynq.Client gets after version 0.26.
// As with [Client.EnqueueContext], each task gets a span and carries its context. Each span
// lasts as long as the call. The results are in the order of the tasks.
//
// With asynq 0.26, which has no such method, the tasks are enqueued one after the other,
// including group tasks and unique tasks, which asynq refuses in a batch.
func (c *Client) BatchEnqueueContext(ctx context.Context, tasks []*asynq.Task, opts ...asynq.Option) []BatchEnqueueResult {
	if !hostHasBatches() {
		results := make([]BatchEnqueueResult, len(tasks))
		for i, task := range tasks {
			results[i].TaskInfo, results[i].Err = c.EnqueueContext(ctx, task, opts...)
		}
		return results
	}
	if ctx == nil {
		ctx = context.Background()
	}
	sent := make([]sending, len(tasks))
	var results []BatchEnqueueResult
	defer func() {
		for i := range sent {
			if i < len(results) {
				sent[i].end(results[i].TaskInfo, results[i].Err, true)
			} else {
				sent[i].end(nil, nil, false)
			}
		}
	}()
	carrying := make([]*asynq.Task, len(tasks))
	for i, task := range tasks {
		if task == nil {
			continue // asynq returns an error for it
		}
		carrying[i] = task
		sent[i] = c.producer.send(ctx, task, opts, false)
		if l, err := layout(); err == nil {
			carrying[i] = l.withHeaders(task, c.producer.headers(ctx, &sent[i], task))
		}
	}
	results = hostBatch(ctx, c.Client, carrying, opts)
	return results
}

// hostBatchMethod is called by reflection, since not every supported release of asynq has
// the type of its results.
const hostBatchMethod = "BatchEnqueueContext"

// hostHasBatches reports whether asynq has the method with the expected signature.
var hostHasBatches = sync.OnceValue(func() bool {
	method, ok := reflect.TypeFor[*asynq.Client]().MethodByName(hostBatchMethod)
	if !ok {
		return false
	}
	t, ours := method.Type, reflect.TypeFor[func(*asynq.Client, context.Context, []*asynq.Task, ...asynq.Option) []BatchEnqueueResult]()
	if t.NumIn() != ours.NumIn() || t.NumOut() != 1 || t.Out(0).Kind() != reflect.Slice ||
		!t.Out(0).Elem().ConvertibleTo(reflect.TypeFor[BatchEnqueueResult]()) {
		return false
	}
	for i := range t.NumIn() {
		if t.In(i) != ours.In(i) {
			return false
		}
	}
	return true
})

func hostBatch(ctx context.Context, client *asynq.Client, tasks []*asynq.Task, opts []asynq.Option) []BatchEnqueueResult {
	answer := reflect.ValueOf(client).MethodByName(hostBatchMethod).CallSlice(
		[]reflect.Value{reflect.ValueOf(ctx), reflect.ValueOf(tasks), reflect.ValueOf(opts)})[0]
	results := make([]BatchEnqueueResult, answer.Len())
	for i := range results {
		reflect.ValueOf(&results[i]).Elem().Set(answer.Index(i).Convert(reflect.TypeFor[BatchEnqueueResult]()))
	}
	return results
}
