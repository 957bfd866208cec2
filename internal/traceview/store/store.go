// Package store keeps the latest traces in memory, within limits.
package store

import (
	"container/list"
	"strings"
	"sync"

	"go.opentelemetry.io/otel/trace"

	"github.com/mqtrace/mqtrace/internal/traceview/spans"
)

// Store keeps the latest traces in memory. Its methods may be called by any
// number of goroutines.
//
// A trace's age counts from its first span: the trace that began to arrive
// first is the first to be given up when a limit is reached. A span that cannot
// fit even so is dropped.
type Store struct {
	limits Limits

	mu      sync.Mutex
	order   *list.List // of *entry, oldest first
	entries map[trace.TraceID]*list.Element
	waiters waiters
	stats   Stats
	index   index
}

// Stats counts what a store holds and what it has dropped.
type Stats struct {
	// What is held now. Bytes is an estimate.
	Traces, Spans, Bytes int
	// Given up since the store was made, to make room for newer traces.
	EvictedTraces, EvictedSpans uint64
	// Spans that were not stored: no room in the limits, received before, or
	// without a valid trace and span id.
	DroppedSpans, DuplicateSpans, InvalidSpans uint64
}

// AddResult is the outcome of the spans given to [Store.Add].
type AddResult struct {
	Stored, Duplicate, Dropped, Invalid int
}

// New returns a store with the given limits.
func New(limits Limits) *Store {
	return &Store{
		limits:  limits.withDefaults(),
		order:   list.New(),
		entries: make(map[trace.TraceID]*list.Element),
		waiters: make(waiters),
		index:   newIndex(),
	}
}

// Add stores spans. One without a valid trace and span id is refused, and one
// that is there already, because an exporter sent it again, is ignored. A span that had
// not ended when it came, and comes again when it has, takes the place of itself.
func (s *Store) Add(all ...spans.Span) AddResult {
	var result AddResult

	s.mu.Lock()
	defer s.mu.Unlock()

	for i := range all {
		s.add(&all[i], &result)

		s.waiters.wake(all[i].TraceID)
	}

	if result.Stored+result.Dropped > 0 {
		s.index.revision++
	}

	s.stats.DuplicateSpans += uint64(result.Duplicate)
	s.stats.DroppedSpans += uint64(result.Dropped)
	s.stats.InvalidSpans += uint64(result.Invalid)

	return result
}

func (s *Store) add(span *spans.Span, result *AddResult) {
	if !span.TraceID.IsValid() || !span.SpanID.IsValid() {
		result.Invalid++

		return
	}

	e := &entry{id: span.TraceID, bytes: entrySize}
	isNew := true

	if element, ok := s.entries[span.TraceID]; ok {
		e, isNew = element.Value.(*entry), false //nolint:forcetypeassert // The list holds nothing else.
	}

	if at, same := e.earlier(span); at >= 0 {
		if same == spans.Repeated || !s.complete(e, at, span) {
			result.Duplicate++
		} else {
			result.Stored++
		}

		return
	}

	size := e.sizeWith(span)
	if !s.makeRoom(e, isNew, size) {
		e.dropped++
		e.version++
		result.Dropped++

		return
	}

	if isNew {
		e.known = make(map[trace.SpanID][]int)
		e.shared = make(map[*spans.Attribute]struct{})
		s.entries[e.id] = s.order.PushBack(e)
		s.stats.Traces++
		s.stats.Bytes += entrySize
	}

	e.append(span, size)
	s.index.add(span)
	s.stats.Spans++
	s.stats.Bytes += size
	result.Stored++
}

// complete puts a span in the place of itself when it had not ended. It reports whether
// there is room for what it has grown by.
func (s *Store) complete(e *entry, at int, span *spans.Span) bool {
	grown := e.sizeWith(span) - indexSize - e.spans[at].Size()
	if e.bytes+grown > s.limits.Bytes || s.stats.Bytes+grown > s.limits.Bytes && !s.makeRoom(e, false, grown) {
		return false
	}

	e.replace(at, span, grown)
	s.index.add(span)
	s.stats.Bytes += grown

	return true
}

// makeRoom gives up the oldest traces other than e until a span of that size
// fits into e. It touches nothing where the span could not fit even then.
func (s *Store) makeRoom(e *entry, isNew bool, size int) bool {
	if len(e.spans) >= s.limits.SpansPerTrace || e.bytes+size > s.limits.Bytes {
		return false
	}

	traces := 0
	if isNew {
		traces = 1
		size += entrySize
	}

	for s.stats.Traces+traces > s.limits.Traces ||
		s.stats.Spans+1 > s.limits.Spans ||
		s.stats.Bytes+size > s.limits.Bytes {
		oldest := s.order.Front()
		if oldest != nil && oldest.Value == any(e) {
			oldest = oldest.Next()
		}

		if oldest == nil {
			return false
		}

		s.evict(oldest)
	}

	return true
}

func (s *Store) evict(element *list.Element) {
	e, _ := s.order.Remove(element).(*entry)
	delete(s.entries, e.id)
	s.index.remove(e)

	s.stats.Traces--
	s.stats.Spans -= len(e.spans)
	s.stats.Bytes -= e.bytes
	s.stats.EvictedTraces++
	s.stats.EvictedSpans += uint64(len(e.spans))
}

// Trace returns what is there of a trace, and whether there is anything.
func (s *Store) Trace(id trace.TraceID) (spans.Trace, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()

	return s.trace(id)
}

func (s *Store) trace(id trace.TraceID) (spans.Trace, bool) {
	element, ok := s.entries[id]
	if !ok {
		return spans.Trace{ID: id}, false
	}

	e, _ := element.Value.(*entry)

	return e.snapshot(), true
}

// ByPrefix returns the id of the one trace whose id begins so, as ids are shown and
// copied: 8 to 16 digits. A longer one lacks digits by mistake.
func (s *Store) ByPrefix(prefix string) (found trace.TraceID, ok bool) {
	const least, most = 8, 16

	prefix = strings.ToLower(prefix)
	if len(prefix) < least || len(prefix) > most {
		return found, false
	}

	s.mu.Lock()
	defer s.mu.Unlock()

	for id := range s.entries {
		if !strings.HasPrefix(id.String(), prefix) {
			continue
		}

		if ok {
			return trace.TraceID{}, false
		}

		found, ok = id, true
	}

	return found, ok
}

// TraceIDs returns the ids of the stored traces, newest last.
func (s *Store) TraceIDs() []trace.TraceID {
	s.mu.Lock()
	defer s.mu.Unlock()

	ids := make([]trace.TraceID, 0, s.order.Len())

	for element := s.order.Front(); element != nil; element = element.Next() {
		e, _ := element.Value.(*entry)
		ids = append(ids, e.id)
	}

	return ids
}

// Traces returns the stored traces, newest last.
func (s *Store) Traces() []spans.Trace {
	s.mu.Lock()
	defer s.mu.Unlock()

	traces := make([]spans.Trace, 0, s.order.Len())

	for element := s.order.Front(); element != nil; element = element.Next() {
		e, _ := element.Value.(*entry)
		traces = append(traces, e.snapshot())
	}

	return traces
}

// Stats returns what the store holds and what it has dropped.
func (s *Store) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()

	return s.stats
}

// Limits returns the limits of the store, defaults included.
func (s *Store) Limits() Limits { return s.limits }

// CountInvalid counts spans that were refused before they got here.
func (s *Store) CountInvalid(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()

	s.stats.InvalidSpans += uint64(n)
}
