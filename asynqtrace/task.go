package asynqtrace

import (
	"fmt"
	"reflect"
	"slices"
	"sync/atomic"
	"unsafe"

	"github.com/hibiken/asynq"
	"go.opentelemetry.io/otel"
)

// taskLayout is where asynq.Task has its headers and its options.
//
// asynq 0.26 offers no way to add headers to a task: NewTask makes none, and a task
// rebuilt by NewTaskWithHeaders loses the options of the first one, its queue, its
// retries and its time among them, because nothing returns them. So a copy of the
// task gets its headers set in place. The next release of asynq has an option for
// headers, which will replace all of this file.
type taskLayout struct {
	headers, options uintptr
}

// layout is worked out without a hand-written offset, when the program starts. The second
// value says why asynq.Task does not look as expected.
var layout = reportOnce(layoutOf(reflect.TypeFor[asynq.Task]()))

// reportOnce has OpenTelemetry's error handler hear of the error once, when it first matters.
// That is called with no lock held: it is the user's, and may enqueue a task.
func reportOnce(l taskLayout, err error) func() (taskLayout, error) {
	var reported atomic.Bool
	return func() (taskLayout, error) {
		if err != nil && reported.CompareAndSwap(false, true) {
			otel.Handle(err)
		}
		return l, err
	}
}

func layoutOf(task reflect.Type) (taskLayout, error) {
	headers, err := offsetOf(task, "headers", reflect.TypeFor[map[string]string]())
	if err != nil {
		return taskLayout{}, err
	}
	options, err := offsetOf(task, "opts", reflect.TypeFor[[]asynq.Option]())
	if err != nil {
		return taskLayout{}, err
	}
	return taskLayout{headers: headers, options: options}, nil
}

func offsetOf(task reflect.Type, name string, want reflect.Type) (uintptr, error) {
	field, ok := task.FieldByName(name)
	if !ok || field.Type != want {
		return 0, fmt.Errorf("asynqtrace: %v has no field %s of type %v: "+
			"tasks are enqueued without trace context", task, name, want)
	}
	return field.Offset, nil
}

// withHeaders returns a copy of the task that has other headers and everything else
// in common with it.
func (l taskLayout) withHeaders(task *asynq.Task, headers map[string]string) *asynq.Task {
	cp := *task
	l.setHeaders(&cp, headers)
	// asynq appends the options of a call to those of the task. Where their array has
	// room to spare, two calls at once would write to the same place.
	opts := (*[]asynq.Option)(unsafe.Add(unsafe.Pointer(&cp), l.options)) //nolint:gosec // checked by layoutOf
	*opts = slices.Clip(*opts)
	return &cp
}

// setHeaders gives the task itself other headers.
func (l taskLayout) setHeaders(task *asynq.Task, headers map[string]string) {
	*(*map[string]string)(unsafe.Add(unsafe.Pointer(task), l.headers)) = headers //nolint:gosec // checked by layoutOf
}

// optionsOf returns the options that the task was made with, to be read only.
func (l taskLayout) optionsOf(task *asynq.Task) []asynq.Option {
	return *(*[]asynq.Option)(unsafe.Add(unsafe.Pointer(task), l.options)) //nolint:gosec // checked by layoutOf
}
