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
// When a limit is reached, the trace whose first span arrived first is dropped first. A
// span that does not fit even then is dropped.
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
	// Current contents. Bytes is an estimate.
	Traces, Spans, Bytes int
	// Dropped since the store was created, to make room for newer traces.
	EvictedTraces, EvictedSpans uint64
	// Spans that were not stored, because they exceeded the limits, had been received
	// before, or had no valid trace and span id.
	DroppedSpans, DuplicateSpans, InvalidSpans uint64
}

// AddResult is the outcome of [Store.Add].
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

// Add stores spans. A span without a valid trace and span id is refused, and one that is
// there already, because an exporter sent it again, is ignored. A span that arrives
// unfinished, and later again finished, is replaced.
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

// complete replaces a span with its finished version. It reports whether there is room for
// the growth.
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

// makeRoom drops the oldest traces other than e until a span of the given size fits into e.
// It drops nothing if the span could not fit even then.
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

// Trace returns what is stored of a trace, and whether there is anything.
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

// ByPrefix returns the id of the only trace whose id begins with the given 8 to 16 digits,
// as ids are shown and copied. A longer prefix is taken for an id that lacks digits by
// mistake.
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
