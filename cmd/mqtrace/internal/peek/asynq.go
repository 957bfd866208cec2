package peek

import (
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/hibiken/asynq"

	"github.com/mqtrace/mqtrace/carrier"
	"github.com/mqtrace/mqtrace/cmd/mqtrace/internal/tracecontext"
	"github.com/mqtrace/mqtrace/internal/messaging"
)

// pageSize is small, since asynq returns the payloads too.
const pageSize = 10

// ErrNoQueue means that asynq has no such queue.
var ErrNoQueue = errors.New("there is no such queue")

// States returns the states of tasks that can be listed.
func States() []string {
	return []string{"pending", "active", "scheduled", "retry", "archived", "completed", "aggregating"}
}

// Asynq is a queue of asynq. Make one with [OpenAsynq].
type Asynq struct {
	inspector *asynq.Inspector
	queue     string
	states    []string
	opts      Options
	total     int
}

var _ Source = (*Asynq)(nil)

// OpenAsynq checks that the queue exists and counts its tasks in the states.
func OpenAsynq(inspector *asynq.Inspector, queue string, states []string, opts Options) (*Asynq, error) {
	queues, err := inspector.Queues()
	if err != nil {
		return nil, err
	}
	if !slices.Contains(queues, queue) {
		return nil, ErrNoQueue
	}
	info, err := inspector.GetQueueInfo(queue)
	if err != nil {
		return nil, err
	}
	q := &Asynq{inspector: inspector, queue: queue, states: states, opts: opts}
	counts := map[string]int{
		"pending": info.Pending, "active": info.Active, "scheduled": info.Scheduled, "retry": info.Retry,
		"archived": info.Archived, "completed": info.Completed, "aggregating": info.Aggregating,
	}
	for _, state := range states {
		q.total += counts[state]
	}
	return q, nil
}

// Total returns the number of tasks in the requested states.
func (q *Asynq) Total() int { return q.total }

// Messages reads the tasks page by page. Tasks that change state meanwhile may be missed or
// come twice.
func (q *Asynq) Messages(limit int) iter.Seq2[Message, error] {
	return func(yield func(Message, error) bool) {
		position := 0
		for _, state := range q.states {
			lists, err := q.lists(state)
			if err != nil {
				yield(Message{}, err)
				return
			}
			left := limit
			for task, err := range tasks(lists) {
				if err != nil {
					yield(Message{}, err)
					return
				}
				if left--; left < 0 {
					break
				}
				position++
				if !yield(q.message(position, task), nil) {
					return
				}
			}
		}
	}
}

type listFunc func(...asynq.ListOption) ([]*asynq.TaskInfo, error)

// lists are the inspector's lists of a state: one, or one for each group.
func (q *Asynq) lists(state string) ([]listFunc, error) {
	of := func(list func(string, ...asynq.ListOption) ([]*asynq.TaskInfo, error)) []listFunc {
		return []listFunc{func(opts ...asynq.ListOption) ([]*asynq.TaskInfo, error) { return list(q.queue, opts...) }}
	}
	switch state {
	case "pending":
		return of(q.inspector.ListPendingTasks), nil
	case "active":
		return of(q.inspector.ListActiveTasks), nil
	case "scheduled":
		return of(q.inspector.ListScheduledTasks), nil
	case "retry":
		return of(q.inspector.ListRetryTasks), nil
	case "archived":
		return of(q.inspector.ListArchivedTasks), nil
	case "completed":
		return of(q.inspector.ListCompletedTasks), nil
	case "aggregating":
		return q.groups()
	default:
		return nil, fmt.Errorf("unknown state %q", state)
	}
}

func (q *Asynq) groups() ([]listFunc, error) {
	groups, err := q.inspector.Groups(q.queue)
	if err != nil {
		return nil, err
	}
	lists := make([]listFunc, 0, len(groups))
	for _, g := range groups {
		lists = append(lists, func(opts ...asynq.ListOption) ([]*asynq.TaskInfo, error) {
			return q.inspector.ListAggregatingTasks(q.queue, g.Group, opts...)
		})
	}
	return lists, nil
}

// tasks goes through lists, page by page.
func tasks(lists []listFunc) iter.Seq2[*asynq.TaskInfo, error] {
	return func(yield func(*asynq.TaskInfo, error) bool) {
		for _, list := range lists {
			for page := 1; ; page++ {
				infos, err := list(asynq.PageSize(pageSize), asynq.Page(page))
				if err != nil {
					yield(nil, err)
					return
				}
				for _, info := range infos {
					if !yield(info, nil) {
						return
					}
				}
				if len(infos) == 0 { // a short page is not the last: asynq omits unreadable tasks
					break
				}
			}
		}
	}
}

func (q *Asynq) message(position int, info *asynq.TaskInfo) Message {
	m := q.opts.message(position, tracecontext.ReadText(info.Headers))
	m.setAge(carrier.Headers(info.Headers).Get(messaging.SentAtHeader), time.Time{}, q.opts.now())
	m.Attempts = attempts(info)
	m.Producer = info.Type // asynq does not record who enqueued a task
	m.ID, m.Type = info.ID, info.Type
	m.setBody(info.Payload, q.opts.Bodies)
	m.Task = &Task{
		State: info.State.String(), Group: info.Group, MaxRetry: info.MaxRetry, LastError: info.LastErr,
		LastFailed: timeOf(info.LastFailedAt), Completed: timeOf(info.CompletedAt), Orphaned: info.IsOrphaned,
	}
	if info.State == asynq.TaskStateScheduled || info.State == asynq.TaskStateRetry {
		m.NextRun = timeOf(info.NextProcessAt)
	}
	return m
}

// attempts returns the number of failed runs. A task that is archived because it has no
// retries left failed once more than it was retried.
func attempts(info *asynq.TaskInfo) int {
	if info.State == asynq.TaskStateArchived && info.LastErr != "" {
		return info.Retried + 1
	}
	return info.Retried
}
