package amqpbroker

import "sort"

// deque is a ring buffer that can also insert and remove in the middle, moving
// the shorter side: cheap at both ends, where queues and unacknowledged
// deliveries are mostly touched.
type deque[T any] struct {
	ring []T // its length is 0 or a power of two
	head int
	n    int
}

func (d *deque[T]) len() int { return d.n }

func (d *deque[T]) slot(i int) *T { return &d.ring[(d.head+i)&(len(d.ring)-1)] }

func (d *deque[T]) at(i int) T { return *d.slot(i) }

func (d *deque[T]) push(v T) { d.insert(d.n, v) }

func (d *deque[T]) insert(i int, v T) {
	if d.n == len(d.ring) {
		d.resize(max(8, 2*d.n))
	}
	if i < d.n/2 {
		d.head = (d.head - 1) & (len(d.ring) - 1)
		for j := range i {
			*d.slot(j) = *d.slot(j + 1)
		}
	} else {
		for j := d.n; j > i; j-- {
			*d.slot(j) = *d.slot(j - 1)
		}
	}
	d.n++
	*d.slot(i) = v
}

func (d *deque[T]) remove(i int) T {
	var zero T
	v := d.at(i)
	if i < d.n/2 {
		for j := i; j > 0; j-- {
			*d.slot(j) = *d.slot(j - 1)
		}
		*d.slot(0) = zero
		d.head = (d.head + 1) & (len(d.ring) - 1)
	} else {
		for j := i; j < d.n-1; j++ {
			*d.slot(j) = *d.slot(j + 1)
		}
		*d.slot(d.n - 1) = zero
	}
	d.n--
	if len(d.ring) > 64 && d.n < len(d.ring)/8 {
		d.resize(len(d.ring) / 4) // a queue that was once long does not keep the memory
	}
	return v
}

func (d *deque[T]) resize(size int) {
	ring := make([]T, size)
	for i := range d.n {
		ring[i] = d.at(i)
	}
	d.ring, d.head = ring, 0
}

// search returns the first index at which after is true; the items must be sorted
// accordingly.
func (d *deque[T]) search(after func(T) bool) int {
	return sort.Search(d.n, func(i int) bool { return after(d.at(i)) })
}

// drain empties the deque and returns what it held, in order.
func (d *deque[T]) drain() []T {
	all := make([]T, d.n)
	for i := range all {
		all[i] = d.at(i)
	}
	*d = deque[T]{}
	return all
}
