package messaging

import (
	"slices"
	"sync"
	"sync/atomic"
)

// maxCached bounds a [Cache]. Most programs have few exchanges, routing keys, task types
// and error types per publisher or consumer, and searching a few is faster than hashing. If
// there are many, such as a routing key for each customer, later ones are computed for each
// message, and memory stays bounded.
const maxCached = 64

// A Cache keeps computed values by key, up to a bound. The zero value is ready for use. It
// is safe for concurrent use. Reading takes no lock and allocates nothing.
type Cache[K comparable, V any] struct {
	known atomic.Pointer[[]cached[K, V]] // appended to, never changed
	mu    sync.Mutex
}

type cached[K comparable, V any] struct {
	key   K
	value V
}

// Get returns the value of a key, calling compute if it is not cached yet.
func (c *Cache[K, V]) Get(key K, compute func() V) V {
	var known []cached[K, V]
	if p := c.known.Load(); p != nil {
		known = *p
	}
	for i := range known {
		if known[i].key == key {
			return known[i].value
		}
	}
	value := compute()
	if len(known) < maxCached {
		c.add(cached[K, V]{key, value})
	}
	return value
}

func (c *Cache[K, V]) add(e cached[K, V]) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var known []cached[K, V]
	if p := c.known.Load(); p != nil {
		known = *p
	}
	if len(known) == maxCached || slices.ContainsFunc(known, func(k cached[K, V]) bool { return k.key == e.key }) {
		return // another goroutine was faster
	}
	known = append(known, e)
	c.known.Store(&known)
}
