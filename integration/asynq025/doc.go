// Package asynq025 holds a test of two versions of asynq on one queue: tasks of ours on
// a worker with asynq 0.25, which knows no headers. Such a worker works on them without
// a trace, and a task that it fails loses its headers for good. The test builds the
// worker, a module of its own, and needs what go mod download gets:
//
//	go test -tags interop ./integration/asynq025
package asynq025
