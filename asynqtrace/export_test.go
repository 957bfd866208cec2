package asynqtrace

import (
	"reflect"

	"github.com/hibiken/asynq"
)

// LayoutError returns why the layout of asynq.Task is not the expected one.
func LayoutError(task reflect.Type) error {
	_, err := layoutOf(task)
	return err
}

// BreakLayout makes the layout of asynq.Task look unknown, as a later release of asynq may,
// and returns a function that undoes that.
func BreakLayout(err error) (restore func()) {
	before := layout
	layout = func() (taskLayout, error) { return taskLayout{}, err }
	return func() { layout = before }
}

// OptionsOf returns the options that the task was created with.
func OptionsOf(task *asynq.Task) []asynq.Option {
	l, err := layout()
	if err != nil {
		panic(err)
	}
	return l.optionsOf(task)
}

// ReportOnce returns an unknown layout, which is reported to OpenTelemetry's error handler
// once.
func ReportOnce(err error) (layout func() error) {
	report := reportOnce(taskLayout{}, err)
	return func() error { _, err := report(); return err }
}
