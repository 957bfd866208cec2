package asynqtrace

import (
	"fmt"
	"reflect"
	"slices"
	"sync/atomic"
	"unsafe"

	"github.com/hibiken/asynq"

	"github.com/mqtrace/mqtrace/internal/messaging"
)

// taskLayout holds the offsets of headers and options in asynq.Task.
//
// asynq 0.26 offers no way to add headers to a task: NewTask makes none, and a task rebuilt
// by NewTaskWithHeaders loses the options of the first one, including its queue, retries
// and time, because nothing returns them. So a copy of the task gets its headers set in
// place. The next release of asynq has an option for headers, which will replace all of
// this file.
type taskLayout struct {
	headers, options uintptr
}

// layout is determined when the program starts, without hard-coded offsets. The error
// explains how asynq.Task differs from what is expected.
var layout = reportOnce(layoutOf(reflect.TypeFor[asynq.Task]()))

// reportOnce reports the error to OpenTelemetry's error handler once, when it first
// matters. No lock is held, since the handler is the user's and may enqueue a task.
func reportOnce(l taskLayout, err error) func() (taskLayout, error) {
	var reported atomic.Bool
	return func() (taskLayout, error) {
		if err != nil && reported.CompareAndSwap(false, true) {
			messaging.Report(err)
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

// withHeaders returns a copy of the task that differs only in its headers.
func (l taskLayout) withHeaders(task *asynq.Task, headers map[string]string) *asynq.Task {
	cp := *task
	l.setHeaders(&cp, headers)
	// asynq appends the options of a call to those of the task. If the array has spare
	// capacity, two concurrent calls would write to the same place.
	opts := (*[]asynq.Option)(unsafe.Add(unsafe.Pointer(&cp), l.options)) //nolint:gosec // checked by layoutOf
	*opts = slices.Clip(*opts)
	return &cp
}

// setHeaders replaces the headers of the task itself.
func (l taskLayout) setHeaders(task *asynq.Task, headers map[string]string) {
	*(*map[string]string)(unsafe.Add(unsafe.Pointer(task), l.headers)) = headers //nolint:gosec // checked by layoutOf
}

// optionsOf returns the options that the task was made with. They must not be changed.
func (l taskLayout) optionsOf(task *asynq.Task) []asynq.Option {
	return *(*[]asynq.Option)(unsafe.Add(unsafe.Pointer(task), l.options)) //nolint:gosec // checked by layoutOf
}
