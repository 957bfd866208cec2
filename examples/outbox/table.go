package main

import (
	"slices"
	"sync"
	"time"
)

// row is an event to be published.
type row struct {
	id           int
	at           time.Time
	key          string
	body         []byte
	traceContext string
}

// table stands for a database table.
type table struct {
	mu   sync.Mutex
	last int
	rows []row
}

func (t *table) insert(r row) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.last++
	r.id, r.at = t.last, time.Now()
	t.rows = append(t.rows, r)
}

func (t *table) pending() []row {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.rows)
}

func (t *table) remove(id int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.rows = slices.DeleteFunc(t.rows, func(r row) bool { return r.id == id })
}
