package amqptrace

import (
	"slices"
	"sync"
	"sync/atomic"
)

// maxRetries and maxRetried bound [retries]. Few other deliveries fail between a failure and
// its immediate retry.
const (
	maxRetries = 32      // failures
	maxRetried = 1 << 14 // deliveries, unless a single batch has more
)

// retries remembers the deliveries whose processing failed most recently, so that one that
// is processed again in the same process, as by a wrapper that retries a handler, is not
// counted as another delivery. Successes cost nothing. K identifies a delivery. The zero
// value is ready for use. It is safe for concurrent use.
type retries[K comparable] struct {
	n        atomic.Int32 // of failures
	mu       sync.Mutex
	failures []*failure[K]     // oldest first
	of       map[K]*failure[K] // by delivery
	left     int               // deliveries of all failures
}

// failure is one failed processing, of a delivery or a batch.
type failure[K comparable] struct {
	deliveries []K
	left       int // those not asked for yet
}

// failed remembers a delivery whose processing has failed, or those of a batch.
func (r *retries[K]) failed(ks ...K) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.of == nil {
		r.of = make(map[K]*failure[K])
	}
	f := &failure[K]{deliveries: ks}
	r.failures = append(r.failures, f)
	for _, k := range ks {
		if r.of[k] == f {
			continue // twice in a batch
		}
		r.forget(k)
		r.of[k] = f
		f.left++
		r.left++
	}
	for len(r.failures) > maxRetries || r.left > maxRetried && len(r.failures) > 1 {
		oldest := r.failures[0]
		for _, k := range oldest.deliveries {
			if r.of[k] == oldest {
				delete(r.of, k)
			}
		}
		r.left -= oldest.left
		r.failures = slices.Delete(r.failures, 0, 1)
	}
	r.n.Store(int32(len(r.failures)))
}

// empty reports whether there is nothing to remember, so that again needs no key.
func (r *retries[K]) empty() bool { return r.n.Load() == 0 }

// again reports whether the processing of a delivery has failed before, and forgets it.
func (r *retries[K]) again(k K) bool {
	if r.empty() {
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	was := r.forget(k)
	r.n.Store(int32(len(r.failures)))
	return was
}

func (r *retries[K]) forget(k K) bool {
	f := r.of[k]
	if f == nil {
		return false
	}
	delete(r.of, k)
	r.left--
	if f.left--; f.left == 0 {
		if i := slices.Index(r.failures, f); i >= 0 {
			r.failures = slices.Delete(r.failures, i, i+1)
		}
	}
	return true
}
