package asynqtrace

import (
	"reflect"

	"github.com/hibiken/asynq"
)

// defaultQueue is where asynq puts a task that names no queue.
const defaultQueue = "default"

// target is where a task goes, as far as its options say.
type target struct{ queue, id string }

// targetOf reads the options that the task was made with and those of the call.
func targetOf(task *asynq.Task, opts []asynq.Option) target {
	var to target
	if l, err := layout(); err == nil {
		to.queue = defaultQueue
		to.read(l.optionsOf(task))
	}
	to.read(opts)
	return to
}

// The types of the options that asynq goes by. It passes over options of other types,
// whatever their Type method answers.
var (
	queueOption  = reflect.TypeOf(asynq.Queue(""))
	taskIDOption = reflect.TypeOf(asynq.TaskID(""))
)

// read reads options, of which, as in asynq, the last counts.
func (t *target) read(opts []asynq.Option) {
	for _, o := range opts {
		switch reflect.TypeOf(o) {
		case queueOption:
			t.queue, _ = o.Value().(string)
		case taskIDOption:
			t.id, _ = o.Value().(string)
		}
	}
}
