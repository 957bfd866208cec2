package store

import (
	"encoding/binary"
	"hash/fnv"
	"maps"
	"slices"

	"go.opentelemetry.io/otel/trace"

	"github.com/mqtrace/mqtrace/internal/traceview/messaging"
	"github.com/mqtrace/mqtrace/internal/traceview/spans"
)

// index is what a store knows about its traces in addition to their spans.
type index struct {
	// revision changes with every change of the store.
	revision uint64
	// linking maps a trace to those whose spans link to it. The trace that is linked to
	// need not be in the store.
	linking map[trace.TraceID]map[trace.TraceID]struct{}
	// The names seen, each once, in the order of arrival.
	services, queues spans.Names
}

func newIndex() index {
	return index{
		linking:  make(map[trace.TraceID]map[trace.TraceID]struct{}),
		services: spans.NewNames(), queues: spans.NewNames(),
	}
}

// linkIndexSize is the memory that the index takes for a link to another trace, rounded up.
const linkIndexSize = 160

func (x *index) add(s *spans.Span) {
	x.services.Add(s.Service)
	x.queues.Add(messaging.DestinationOf(s).Queue)

	for i := range s.Links {
		target := s.Links[i].TraceID
		if target == s.TraceID {
			continue
		}

		if x.linking[target] == nil {
			x.linking[target] = make(map[trace.TraceID]struct{})
		}

		x.linking[target][s.TraceID] = struct{}{}
	}
}

// remove forgets the links of a trace that is dropped, also those of spans that were
// replaced.
func (x *index) remove(e *entry) {
	for target := range e.targets {
		delete(x.linking[target], e.id)

		if len(x.linking[target]) == 0 {
			delete(x.linking, target)
		}
	}
}

// Revision returns a number that changes with every change of the store.
func (s *Store) Revision() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()

	return s.index.revision
}

// Around returns a number that changes with every change of a trace, of those whose spans
// link to it, and of those that its own spans link to.
func (s *Store) Around(id trace.TraceID) uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()

	sum := fnv.New64a()
	add := func(id trace.TraceID) {
		version := uint64(0)

		if element, ok := s.entries[id]; ok {
			e, _ := element.Value.(*entry)
			version = e.version
		}

		_, _ = sum.Write(binary.BigEndian.AppendUint64(id[:], version))
	}
	add(id)

	for _, source := range slices.SortedFunc(maps.Keys(s.index.linking[id]), compareIDs) {
		add(source)
	}

	if element, ok := s.entries[id]; ok {
		e, _ := element.Value.(*entry)
		for _, target := range slices.SortedFunc(maps.Keys(e.targets), compareIDs) {
			add(target)
		}
	}

	return sum.Sum64()
}

// Linking returns the traces with a span that links to the trace with the given id, ordered
// by id. That trace need not be in the store itself.
func (s *Store) Linking(id trace.TraceID) []spans.Trace {
	s.mu.Lock()
	defer s.mu.Unlock()

	var traces []spans.Trace

	for _, source := range slices.SortedFunc(maps.Keys(s.index.linking[id]), compareIDs) {
		if tr, ok := s.trace(source); ok {
			traces = append(traces, tr)
		}
	}

	return traces
}

func compareIDs(a, b trace.TraceID) int { return slices.Compare(a[:], b[:]) }

// Services returns the names of services that spans came from, in the order in which they
// were first seen, whether or not their traces are still here. At most a thousand are
// remembered.
func (s *Store) Services() []string {
	s.mu.Lock()
	defer s.mu.Unlock()

	return slices.Clone(s.index.services.List)
}

// Queues returns the names of queues that messages went to or came from, in
// the order in which they were first seen. At most a thousand are remembered.
func (s *Store) Queues() []string {
	s.mu.Lock()
	defer s.mu.Unlock()

	return slices.Clone(s.index.queues.List)
}
