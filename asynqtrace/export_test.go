package asynqtrace

import (
	"reflect"

	"github.com/hibiken/asynq"
)

// LayoutError is why the type does not look as asynq.Task is expected to.
func LayoutError(task reflect.Type) error {
	_, err := layoutOf(task)
	return err
}

// BreakLayout makes asynq.Task look unknown, as a later release of asynq may, and
// returns what undoes it.
func BreakLayout(err error) (restore func()) {
	before := layout
	layout = func() (taskLayout, error) { return taskLayout{}, err }
	return func() { layout = before }
}

// OptionsOf are the options that the task was made with.
func OptionsOf(task *asynq.Task) []asynq.Option {
	l, err := layout()
	if err != nil {
		panic(err)
	}
	return l.optionsOf(task)
}

// ReportOnce returns a layout that cannot be known, and reports it to OpenTelemetry's error handler
// of it once.
func ReportOnce(err error) (layout func() error) {
	report := reportOnce(taskLayout{}, err)
	return func() error { _, err := report(); return err }
}
