// Package asynq025 tests two versions of asynq on one queue: our tasks on a worker with
// asynq 0.25, which does not know headers. Such a worker processes them without a trace,
// and a task that fails there loses its headers for good. The test builds the worker, a
// module of its own, and needs what go mod download gets:
//
//	go test -tags interop ./integration/asynq025
package asynq025
