//go:build stack

package stack_test

import (
	"slices"
	"time"

	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
)

// What the tests expect of sampling. The numbers are the defaults of config.yaml, except
// for the queue time.
const (
	slow       = 2 * time.Second
	queueBound = 1.5 // seconds, longer than asynq takes to poll for tasks
	percentage = 5.0
)

// reason returns why a trace has to be kept, by rules that are repeated here and not read
// from the configuration. If it is empty, chance decides.
func (tr *trace) reason() string {
	switch {
	case tr.any(func(s *span) bool { return s.failed }):
		return "error"
	// The Collector compares whole milliseconds.
	case tr.duration().Truncate(time.Millisecond) > slow:
		return "slow"
	case tr.any(func(s *span) bool { return number(s.attributes["mqtrace.queue_time"]) > queueBound }):
		return "waited"
	case tr.any(func(s *span) bool { return s.attributes["mqtrace.dead_letter.count"] != nil }):
		return "dead-lettered"
	default:
		return ""
	}
}

func (tr *trace) any(is func(*span) bool) bool {
	return slices.ContainsFunc(tr.spans, is)
}

func (tr *trace) duration() time.Duration {
	first, last := tr.spans[0].start, tr.spans[0].end
	for _, s := range tr.spans {
		if s.start.Before(first) {
			first = s.start
		}
		if s.end.After(last) {
			last = s.end
		}
	}
	return last.Sub(first)
}

// count returns how many spans have that service and name.
func (tr *trace) count(service, name string) int {
	n := 0
	for _, s := range tr.spans {
		if s.service == service && s.name == name {
			n++
		}
	}
	return n
}

// orphan returns a span whose parent is missing, or nil.
func (tr *trace) orphan() *span {
	known := map[string]bool{"": true}
	for _, s := range tr.spans {
		known[s.id] = true
	}
	for _, s := range tr.spans {
		if !known[s.parent] {
			return s
		}
	}
	return nil
}

func number(value any) float64 {
	v, _ := value.(*commonpb.AnyValue)
	return v.GetDoubleValue()
}

// path returns the spans from s up to the root.
func (tr *trace) path(s *span) []string {
	var path []string
	for s != nil {
		path = append(path, s.service+": "+s.name)
		s = tr.span(s.parent)
	}
	return path
}

// span returns the span with that id, or nil.
func (tr *trace) span(id string) *span {
	for _, s := range tr.spans {
		if s.id == id {
			return s
		}
	}
	return nil
}
