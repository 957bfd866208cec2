package asynqtrace

import (
	"slices"
	"sync"

	"go.opentelemetry.io/otel/attribute"

	"github.com/mqtrace/mqtrace/internal/messaging"
)

// route holds what is common to the spans of an operation for one queue and one type of
// task.
type route struct {
	spanName   string
	attributes []attribute.KeyValue
	taskType   string // as in metrics
}

// routes are the routes of an operation. The zero value is ready for use. It is safe for
// concurrent use.
type routes struct {
	known messaging.Cache[[2]string, *route] // by queue and type
	types taskTypes
}

func (r *routes) get(o *messaging.Operation, queue, taskType string) *route {
	return r.known.Get([2]string{queue, taskType}, func() *route {
		to := &route{o.SpanName(queue), append(slices.Clone(o.Attributes), messaging.Text(taskTypeKey, taskType)), r.types.bounded(taskType)}
		if queue != "" {
			to.attributes = append(to.attributes, messaging.DestinationName(queue))
		}
		return to
	})
}

// maxTaskTypes is how many task types metrics distinguish. Programs have fewer, unless they
// put an identifier into the type, which would make each a time series of its own.
const maxTaskTypes = 64

// otherTaskTypes stands for all further types.
const otherTaskTypes = "_OTHER"

// taskTypes are the task types that metrics distinguish: the first ones seen.
type taskTypes struct {
	mu    sync.Mutex
	known map[string]bool
}

func (t *taskTypes) bounded(taskType string) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.known[taskType]:
	case len(t.known) == maxTaskTypes:
		return otherTaskTypes
	case t.known == nil:
		t.known = map[string]bool{taskType: true}
	default:
		t.known[taskType] = true
	}
	return taskType
}
