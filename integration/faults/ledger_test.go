package faults_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
)

// ledger is what the program itself knows about its messages, to be compared with the
// spans.
type ledger struct {
	mu        sync.Mutex
	last      int
	confirmed map[int]bool
	processed map[int]int
	seen      counts
}

func newLedger() *ledger {
	return &ledger{confirmed: make(map[int]bool), processed: make(map[int]int), seen: counts{}}
}

// next returns the number of a new message.
func (l *ledger) next() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.last++
	return l.last
}

func (l *ledger) saw(what string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.seen.add(what)
}

func (l *ledger) count(what string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.seen[what]
}

func (l *ledger) confirm(id int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.confirmed[id] = true
}

func (l *ledger) process(id int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.processed[id]++
}

// excuse is for a broker that keeps nothing: messages sent to it before it died need not
// arrive.
func (l *ledger) excuse() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for id := range l.last + 1 {
		l.processed[id]++
	}
}

// missing returns the messages that were confirmed and not processed.
func (l *ledger) missing() []int {
	l.mu.Lock()
	defer l.mu.Unlock()
	var ids []int
	for id := range l.confirmed {
		if l.processed[id] == 0 {
			ids = append(ids, id)
		}
	}
	return ids
}

func (l *ledger) numbers() (sent, confirmed, twice int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, n := range l.processed {
		if n > 1 {
			twice++
		}
	}
	return l.last, len(l.confirmed), twice
}

type counts map[string]int

func (c counts) add(what string) { c[what]++ }

func (c counts) String() string {
	words := make([]string, 0, len(c))
	for _, what := range slices.Sorted(maps.Keys(c)) {
		words = append(words, fmt.Sprintf("%s %d", what, c[what]))
	}
	return strings.Join(words, ", ")
}
