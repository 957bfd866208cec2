package amqptest

import (
	"slices"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// Span is a span that has ended.
type Span struct{ sdktrace.ReadOnlySpan }

// Attr returns the value of an attribute as a Go value: string, int64, float64, bool or a
// slice of one of them. It returns nil if there is none.
func (s Span) Attr(key string) any {
	for _, kv := range s.Attributes() {
		if kv.Key == attribute.Key(key) {
			return kv.Value.AsInterface()
		}
	}
	return nil
}

// Outcome returns what became of the message: mqtrace.publish.outcome of a publish span,
// such as "acked", mqtrace.settlement of a process span, such as "requeue", or
// asynq.task.outcome of a task's span, such as "retry". It returns "" if the span has none.
func (s Span) Outcome() string {
	for _, key := range []string{"mqtrace.publish.outcome", "mqtrace.settlement", "asynq.task.outcome"} {
		if outcome, ok := s.Attr(key).(string); ok {
			return outcome
		}
	}
	return ""
}

// ErrorType returns the error.type of a span that has failed, else "".
func (s Span) ErrorType() string {
	if s.Status().Code != codes.Error {
		return ""
	}
	if kind, ok := s.Attr("error.type").(string); ok {
		return kind
	}
	return "error"
}

// String returns the name and, if present, the outcome and the error type: "process billing
// nack error=rejected".
func (s Span) String() string {
	text := s.Name()
	if outcome := s.Outcome(); outcome != "" {
		text += " " + outcome
	}
	if kind := s.ErrorType(); kind != "" {
		text += " error=" + kind
	}
	return text
}

// LinksTo reports whether s has a link to other.
func (s Span) LinksTo(other Span) bool {
	return slices.ContainsFunc(s.Links(), func(l sdktrace.Link) bool {
		return l.SpanContext.TraceID() == other.SpanContext().TraceID() && l.SpanContext.SpanID() == other.SpanContext().SpanID()
	})
}

// Describe writes one line per span, as [Span.String] does. To a span in another trace than
// the first, it adds "(linked)" if the span links to an earlier one, else "(apart)".
func Describe(spans []Span) []string {
	lines := make([]string, len(spans))
	for i, s := range spans {
		lines[i] = s.String()
		switch {
		case s.SpanContext().TraceID() == spans[0].SpanContext().TraceID():
		case slices.ContainsFunc(spans[:i], s.LinksTo):
			lines[i] += " (linked)"
		default:
			lines[i] += " (apart)"
		}
	}
	return lines
}
