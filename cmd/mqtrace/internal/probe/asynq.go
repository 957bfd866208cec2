package probe

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/hibiken/asynq"
	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/redis/go-redis/v9"
)

// asynqDelay is how far ahead the probe's task is scheduled: no server gets it before it is
// deleted.
const asynqDelay = 24 * time.Hour

// taskType has no handler.
const taskType = "mqtrace:probe"

// Asynq schedules a marked task in a queue for a day later, reads it back and deletes it.
//
// Unless live is true, a queue that servers process is refused with ErrBusy. They would not
// get the task at once; but if the probe were killed before it deleted the task, they would
// get it a day later.
func Asynq(ctx context.Context, client redis.UniversalClient, queue string, live bool) (result *Result, err error) {
	inspector := asynq.NewInspectorFromRedisClient(client)
	queues, err := inspector.Queues()
	if err != nil {
		return nil, err
	}
	if !slices.Contains(queues, queue) {
		return nil, fmt.Errorf("%w: %q", asynq.ErrQueueNotFound, queue)
	}
	servers, err := serversOf(inspector, queue)
	if err != nil {
		return nil, err
	}
	if servers > 0 && !live {
		return nil, fmt.Errorf("queue %q is processed by %s: %w", queue, count(servers, "server"), ErrBusy)
	}

	mark := NewMark()
	info, took, err := roundTrip(ctx, asynq.NewClientFromRedisClient(client), inspector, queue, mark)
	if err != nil {
		return nil, err
	}
	fields := mark.readFields(asTable(info.Headers))
	for i := range fields {
		fields[i].Type = "" // strings are all there is
	}
	place := Place{Name: fmt.Sprintf("queue %q, scheduled", queue)}
	place.arrive(took, fields, nil)
	result = &Result{ID: mark.ID, From: "asynq's client", Places: []Place{place}}
	result.Notes = []string{"a worker with asynq before v0.26 drops a task's headers when it retries the task; " +
		"this queue has " + count(servers, "server") + ", of unknown version"}
	result.conclude()
	return result, nil
}

// roundTrip leaves no task behind, whatever happens.
func roundTrip(
	ctx context.Context, client *asynq.Client, inspector *asynq.Inspector, queue string, mark Mark,
) (info *asynq.TaskInfo, took time.Duration, err error) {
	task := asynq.NewTaskWithHeaders(taskType, []byte(`{}`), mark.headers(), asynq.Queue(queue),
		asynq.TaskID(mark.ID), asynq.ProcessIn(asynqDelay), asynq.MaxRetry(0))
	sent := time.Now()
	if _, err := client.EnqueueContext(ctx, task); err != nil {
		// It may be there all the same, if the answer was lost.
		_ = inspector.DeleteTask(queue, mark.ID)
		return nil, 0, err
	}
	info, err = inspector.GetTaskInfo(queue, mark.ID)
	took = time.Since(sent)
	if deleteErr := inspector.DeleteTask(queue, mark.ID); deleteErr != nil {
		return nil, 0, fmt.Errorf("task %s is still scheduled, delete it: %w", mark.ID, deleteErr)
	}
	return info, took, err
}

func serversOf(inspector *asynq.Inspector, queue string) (int, error) {
	servers, err := inspector.Servers()
	n := 0
	for _, s := range servers {
		if _, ok := s.Queues[queue]; ok {
			n++
		}
	}
	return n, err
}

// asTable converts the headers of a task for comparison.
func asTable(headers map[string]string) amqp.Table {
	t := make(amqp.Table, len(headers))
	for k, v := range headers {
		t[k] = v
	}
	return t
}
