package tracefile

import (
	"encoding/json"
	"slices"

	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/mqtrace/mqtrace/internal/traceview/otlp"
	"github.com/mqtrace/mqtrace/internal/traceview/spans"
)

// The answer of Jaeger's query API at /api/traces/{id}. Times are in microseconds.
// https://github.com/jaegertracing/jaeger/blob/v1.76.0/internal/uimodel/model.go
type (
	jaegerTrace struct {
		Spans     []json.RawMessage        `json:"spans"`
		Processes map[string]jaegerProcess `json:"processes"`
		// Process is the process of a batch, as senders write it.
		Process jaegerProcess `json:"process"`
	}
	jaegerSpan struct {
		TraceID    lenientText       `json:"traceID"`
		SpanID     lenientText       `json:"spanID"`
		ParentID   lenientText       `json:"parentSpanID"` // in old versions
		Flags      lenientNumber     `json:"flags"`
		Name       lenientText       `json:"operationName"`
		References []jaegerReference `json:"references"`
		Start      lenientNumber     `json:"startTime"`
		Duration   lenientNumber     `json:"duration"`
		Tags       []jaegerTag       `json:"tags"`
		Logs       []jaegerLog       `json:"logs"`
		ProcessID  lenientText       `json:"processID"`
		Process    jaegerProcess     `json:"process"` // in Elasticsearch
	}
	jaegerReference struct {
		Type    lenientText `json:"refType"`
		TraceID lenientText `json:"traceID"`
		SpanID  lenientText `json:"spanID"`
	}
	jaegerTag struct {
		Key   lenientText     `json:"key"`
		Type  lenientText     `json:"type"`
		Value json.RawMessage `json:"value"`
	}
	jaegerLog struct {
		Time   lenientNumber `json:"timestamp"`
		Fields []jaegerTag   `json:"fields"`
	}
	jaegerProcess struct {
		Service lenientText `json:"serviceName"`
		Tags    []jaegerTag `json:"tags"`
	}
)

// jaeger reads a trace in Jaeger's format.
func (r *reader) jaeger(raw json.RawMessage) error {
	var tr jaegerTrace
	if err := json.Unmarshal(raw, &tr); err != nil {
		_ = r.damage(err) // The trace is left out, and counted.

		return nil
	}

	return r.jaegerTrace(&tr)
}

// jaegerTrace converts a trace from Jaeger's format back to OpenTelemetry's.
func (r *reader) jaegerTrace(tr *jaegerTrace) error {
	var piece otlp.Decoded

	for _, raw := range tr.Spans {
		var s jaegerSpan
		odd := json.Unmarshal(raw, &s) // values of the wrong type are left out

		process, ok := tr.Processes[string(s.ProcessID)]
		if !ok {
			process = tr.Process
		}

		if process.Service == "" {
			process = s.Process
		}

		if span, ok := s.convert(process); ok {
			if odd != nil {
				span.LeftOut++
			}

			piece.Spans = append(piece.Spans, span)
		} else {
			piece.Invalid++
		}
	}

	return r.take(piece)
}

func (s *jaegerSpan) convert(process jaegerProcess) (spans.Span, bool) {
	traceID, spanID, ok := parseIDs(string(s.TraceID), string(s.SpanID))
	span := spans.Span{
		TraceID: traceID, SpanID: spanID, Flags: uint32(s.Flags), Name: string(s.Name),
		Service: string(process.Service),
	}
	if span.Start = s.Start.time(); !span.Start.IsZero() {
		span.End = span.Start.Add(s.Duration.duration())
	}
	span.Resource.Attributes = append(convertTags(process.Tags),
		spans.Attribute{Key: "service.name", Value: string(process.Service)})
	s.refer(&span)
	for _, tag := range s.Tags {
		tag.apply(&span)
	}
	for _, l := range s.Logs {
		span.Events = append(span.Events, l.convert())
	}
	return span, ok
}

// refer distinguishes the parent from the links. If a span has a link to its parent, as
// this project's process spans do, Jaeger keeps only the link (FOLLOWS_FROM).
func (s *jaegerSpan) refer(span *spans.Span) {
	var follows []trace.SpanID
	for _, r := range s.References {
		traceID, spanID, ok := parseIDs(string(r.TraceID), string(r.SpanID))
		if !ok {
			continue
		}
		if r.Type == "CHILD_OF" && traceID == span.TraceID && !span.ParentID.IsValid() {
			span.ParentID = spanID
			continue
		}
		span.Links = append(span.Links, spans.Link{TraceID: traceID, SpanID: spanID})
		if traceID == span.TraceID && !slices.Contains(follows, spanID) {
			follows = append(follows, spanID)
		}
	}
	// A span with several links processed a batch, whose messages are not its parents.
	if !span.ParentID.IsValid() && len(follows) == 1 {
		span.ParentID = follows[0]
	}
	if _, parent, ok := parseIDs(string(s.TraceID), string(s.ParentID)); ok && !span.ParentID.IsValid() {
		span.ParentID = parent
	}
}

var jaegerKinds = map[string]trace.SpanKind{
	"internal": trace.SpanKindInternal, "server": trace.SpanKindServer, "client": trace.SpanKindClient,
	"producer": trace.SpanKindProducer, "consumer": trace.SpanKindConsumer,
}

// apply stores a tag where OpenTelemetry has it.
func (t jaegerTag) apply(span *spans.Span) {
	value := t.value()
	text, _ := value.(string)
	switch t.Key {
	case "span.kind":
		span.Kind = jaegerKinds[text]
	case "w3c.tracestate":
		span.TraceState = text
	case "otel.scope.name", "otel.library.name":
		span.Scope.Name = text
	case "otel.scope.version", "otel.library.version":
		span.Scope.Version = text
	case "otel.status_description":
		span.Status.Message = text
	case "otel.status_code":
		switch text {
		case "ERROR":
			span.Status.Code = codes.Error
		case "OK":
			span.Status.Code = codes.Ok
		}
	case "error":
		if value == true || text == "true" {
			span.Status.Code = codes.Error
		}
	default:
		span.Attributes = append(span.Attributes, spans.Attribute{Key: string(t.Key), Value: value})
	}
}

// value returns the OTLP value for the tag's value.
func (t jaegerTag) value() any {
	switch t.Type {
	case "bool":
		var b bool
		if json.Unmarshal(t.Value, &b) == nil {
			return b
		}
	case "int64":
		var n json.Number // a string if it is too long for JavaScript
		if json.Unmarshal(t.Value, &n) == nil {
			if i, err := n.Int64(); err == nil {
				return i
			}
		}
	case "float64":
		var f float64
		if json.Unmarshal(t.Value, &f) == nil {
			return f
		}
	}
	var s string
	if json.Unmarshal(t.Value, &s) == nil {
		return s
	}
	return string(t.Value)
}

func convertTags(tags []jaegerTag) spans.Attributes {
	var out spans.Attributes
	for _, t := range tags {
		out = append(out, spans.Attribute{Key: string(t.Key), Value: t.value()})
	}
	return out
}

func (l *jaegerLog) convert() spans.Event {
	e := spans.Event{Time: l.Time.time()}
	for _, t := range l.Fields {
		if name, ok := t.value().(string); ok && t.Key == "event" && e.Name == "" {
			e.Name = name
			continue
		}
		e.Attributes = append(e.Attributes, spans.Attribute{Key: string(t.Key), Value: t.value()})
	}
	return e
}
