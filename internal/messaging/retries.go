package messaging

import (
	"slices"
	"sync"
	"sync/atomic"
)

// maxRetries bounds [Retries]. Few other deliveries fail between a failure and its
// immediate retry.
const maxRetries = 32

// Retries remembers the deliveries whose processing failed most recently, so that one that
// is processed again in the same process, as by a wrapper that retries a handler, is not
// counted as another delivery. Successes cost nothing. K identifies a delivery. The zero
// value is ready for use. It is safe for concurrent use.
type Retries[K comparable] struct {
	n      atomic.Int32 // len(failed)
	mu     sync.Mutex
	failed []K // oldest first
}

// Failed remembers a delivery whose processing has failed.
func (r *Retries[K]) Failed(k K) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.failed) == maxRetries {
		r.failed = slices.Delete(r.failed, 0, 1)
	}
	r.failed = append(r.failed, k)
	r.n.Store(int32(len(r.failed)))
}

// Again reports whether the processing of a delivery has failed before, and forgets it.
func (r *Retries[K]) Again(k K) bool {
	if r.n.Load() == 0 {
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	i := slices.Index(r.failed, k)
	if i < 0 {
		return false
	}
	r.failed = slices.Delete(r.failed, i, i+1)
	r.n.Store(int32(len(r.failed)))
	return true
}
