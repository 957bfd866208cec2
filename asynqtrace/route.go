package asynqtrace

import (
	"slices"
	"sync"

	"go.opentelemetry.io/otel/attribute"

	"github.com/mqtrace/mqtrace/internal/messaging"
)

// route is what all spans of an operation have that are for one queue and one type of task.
type route struct {
	spanName   string
	attributes []attribute.KeyValue
	taskType   string // as metrics have it
}

// routes are those of an operation. The zero value is ready for use. It is safe for
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

// maxTaskTypes is how many types of task metrics distinguish. Programs have fewer, unless
// they put an identifier into the type, and then each would be a time series of its own.
const maxTaskTypes = 64

// otherTaskTypes stands for the types beyond.
const otherTaskTypes = "_OTHER"

// taskTypes are the types of task that metrics distinguish: the first ones that are seen.
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
