package messaging

import (
	"slices"
	"sync"
	"sync/atomic"
)

// maxRetries and maxRetried bound [Retries]. A message that is retried at once is retried
// while few others fail.
const (
	maxRetries = 32      // failures
	maxRetried = 1 << 14 // deliveries, unless a single batch has more
)

// Retries remembers the deliveries whose processing failed most recently, so that one that
// is processed again in the same process, as by a wrapper that retries a handler, is not
// counted as another delivery. Successes cost nothing. K identifies a delivery. The zero
// value is ready for use. It is safe for concurrent use.
type Retries[K comparable] struct {
	n          atomic.Int32 // of failed
	mu         sync.Mutex
	failed     []map[K]struct{} // the deliveries of each failure, oldest first
	deliveries int              // in failed
}

// Failed remembers a delivery whose processing has failed, or those of a batch.
func (r *Retries[K]) Failed(ks ...K) {
	failure := make(map[K]struct{}, len(ks))
	for _, k := range ks {
		failure[k] = struct{}{}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failed = append(r.failed, failure)
	r.deliveries += len(failure)
	for len(r.failed) > maxRetries || r.deliveries > maxRetried && len(r.failed) > 1 {
		r.deliveries -= len(r.failed[0])
		r.failed = slices.Delete(r.failed, 0, 1)
	}
	r.n.Store(int32(len(r.failed)))
}

// Empty reports whether there is nothing to remember, so that [Retries.Again] needs no key.
func (r *Retries[K]) Empty() bool { return r.n.Load() == 0 }

// Again reports whether the processing of a delivery has failed before, and forgets it.
func (r *Retries[K]) Again(k K) bool {
	if r.Empty() {
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for i, failure := range r.failed {
		if _, ok := failure[k]; !ok {
			continue
		}
		r.deliveries--
		if delete(failure, k); len(failure) == 0 {
			r.failed = slices.Delete(r.failed, i, i+1)
			r.n.Store(int32(len(r.failed)))
		}
		return true
	}
	return false
}
