package traceview

import (
	"slices"
	"strings"

	"go.opentelemetry.io/otel/trace"
)

// Query says which traces are looked for: those for which everything that is set
// holds. The zero value finds all.
type Query struct {
	// Text is found in the trace's id, at its start, or in the name of one of its
	// spans or services, in any letter case. All of them have to be found.
	Text []string
	// Service is the name of a service that took part.
	Service string
	// Queue is a destination that a message went to or came from: a queue, an
	// exchange, or the whole of messaging.destination.name.
	Queue string
	// Attributes have to be on a span or its resource, each on any. A value is
	// compared with what [FormatValue] makes of it; "" finds every value.
	Attributes []KeyValue
	// Errors finds only traces with a span whose status is Error.
	Errors bool
}

// KeyValue is an attribute as people write it.
type KeyValue struct{ Key, Value string }

// Matches reports whether the query finds the trace.
func (q *Query) Matches(tr Trace) bool {
	if q.Errors && tr.Errors() == 0 ||
		q.Service != "" && !slices.Contains(tr.Services(), q.Service) ||
		q.Queue != "" && !anySpan(tr, func(s *Span) bool { return hasQueue(s, q.Queue) }) {
		return false
	}

	for _, kv := range q.Attributes {
		if !anySpan(tr, func(s *Span) bool { return hasAttribute(s.Attributes, kv) || hasAttribute(s.Resource.Attributes, kv) }) {
			return false
		}
	}

	for _, text := range q.Text {
		text = strings.ToLower(text)
		if !strings.HasPrefix(tr.ID.String(), text) && !anySpan(tr, func(s *Span) bool {
			return strings.Contains(strings.ToLower(s.Name), text) || strings.Contains(strings.ToLower(s.Service), text)
		}) {
			return false
		}
	}

	return true
}

func anySpan(tr Trace, holds func(*Span) bool) bool {
	for i := range tr.Spans {
		if holds(&tr.Spans[i]) {
			return true
		}
	}

	return false
}

func hasAttribute(a Attributes, kv KeyValue) bool {
	v, ok := a.Get(kv.Key)

	return ok && (kv.Value == "" || FormatValue(v) == kv.Value)
}

// isMessaging reports whether the span is about a message.
func isMessaging(s *Span) bool {
	return s.Kind == trace.SpanKindProducer || s.Kind == trace.SpanKindConsumer ||
		s.Attributes.Text(keyMessagingSystem) != ""
}

// hasQueue compares with the destination as it is in the span's name, with the
// attribute, with its parts (exchange, routing key and queue), and with the
// queues where the message was dead-lettered before.
func hasQueue(s *Span, queue string) bool {
	if !isMessaging(s) {
		return false
	}

	name := s.Attributes.Text(keyDestination)
	if queueOf(s) == queue || name == queue || slices.Contains(strings.Split(name, ":"), queue) {
		return true
	}

	v, _ := s.Attributes.Get(keyDeadLetterQueues)
	list, _ := v.([]any)

	return slices.Contains(list, any(queue))
}

// queueOf is what a list of queues shows of a span: the destination in its name,
// which is of low cardinality, else the attribute; "" where it has none.
func queueOf(s *Span) string {
	if !isMessaging(s) {
		return ""
	}

	if name := destination(s); name != "" {
		return name
	}

	return s.Attributes.Text(keyDestination)
}
