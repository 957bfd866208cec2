package asynqtrace

import (
	"sync"
	"sync/atomic"
	"unsafe"
	"weak"

	"github.com/hibiken/asynq"
)

// failures remembers the tasks whose attempts failed most recently, so that one that a
// wrapper passes to the middleware again at once is not counted as another delivery: asynq
// itself creates a new *asynq.Task for each delivery. Successes cost nothing. The zero value
// is ready for use. It is safe for concurrent use.
type failures struct {
	n    atomic.Int32 // of tasks
	mu   sync.Mutex
	last [32]failed // few other attempts fail between a failure and its immediate retry
	next int        // the oldest
}

// failed is a task whose attempt failed. It does not keep the task in memory. The address
// finds it at little cost; the weak pointer tells it from a later task at that address.
type failed struct {
	address uintptr
	task    weak.Pointer[asynq.Task]
}

func addressOf(task *asynq.Task) uintptr {
	return uintptr(unsafe.Pointer(task)) //nolint:gosec // never converted back to a pointer
}

// add remembers a task whose attempt has failed.
func (f *failures) add(task *asynq.Task) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.last[f.next].address == 0 {
		f.n.Add(1)
	}
	f.last[f.next] = failed{addressOf(task), weak.Make(task)}
	f.next = (f.next + 1) % len(f.last)
}

// again reports whether an attempt at the task has failed before, and forgets it.
func (f *failures) again(task *asynq.Task) bool {
	if f.n.Load() == 0 {
		return false
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	address := addressOf(task)
	for i := range f.last {
		if f.last[i].address != address {
			continue
		}
		again := f.last[i].task.Value() == task
		f.last[i] = failed{}
		f.n.Add(-1)
		if again {
			return true
		}
	}
	return false
}
