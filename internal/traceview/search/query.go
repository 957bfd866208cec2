// Package search finds traces.
package search

import (
	"slices"
	"strings"

	"github.com/mqtrace/mqtrace/internal/traceview/messaging"
	"github.com/mqtrace/mqtrace/internal/traceview/spans"
)

// Query selects the traces that satisfy every field that is set. The zero value selects
// all.
type Query struct {
	// Text has texts that must all be found: each at the start of the trace's id, or
	// anywhere in the name of one of its spans or services, in any letter case.
	Text []string
	// Service is the name of a service that took part.
	Service string
	// Queue is a destination that a message went to or came from: a queue, an
	// exchange, or the whole of messaging.destination.name.
	Queue string
	// Attributes must each be on some span or its resource. A value is compared with the
	// output of [spans.FormatValue]; "" matches any value.
	Attributes []KeyValue
	// Errors selects only traces with a span whose status is Error.
	Errors bool
}

// KeyValue is an attribute as people write it.
type KeyValue struct{ Key, Value string }

// Matches reports whether the query selects the trace.
func (q *Query) Matches(tr spans.Trace) bool {
	if q.Errors && tr.Errors() == 0 ||
		q.Service != "" && !slices.Contains(tr.Services(), q.Service) ||
		q.Queue != "" && !anySpan(tr, func(s *spans.Span) bool { return messaging.Has(s, q.Queue) }) {
		return false
	}

	for _, kv := range q.Attributes {
		if !anySpan(tr, func(s *spans.Span) bool {
			return hasAttribute(s.Attributes, kv) || hasAttribute(s.Resource.Attributes, kv)
		}) {
			return false
		}
	}

	for _, text := range q.Text {
		text = strings.ToLower(text)
		if !strings.HasPrefix(tr.ID.String(), text) && !anySpan(tr, func(s *spans.Span) bool {
			return strings.Contains(strings.ToLower(s.Name), text) || strings.Contains(strings.ToLower(s.Service), text)
		}) {
			return false
		}
	}

	return true
}

func anySpan(tr spans.Trace, holds func(*spans.Span) bool) bool {
	for i := range tr.Spans {
		if holds(&tr.Spans[i]) {
			return true
		}
	}

	return false
}

func hasAttribute(a spans.Attributes, kv KeyValue) bool {
	v, ok := a.Get(kv.Key)

	return ok && (kv.Value == "" || spans.FormatValue(v) == kv.Value)
}
