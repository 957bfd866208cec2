package tracesource

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/mqtrace/mqtrace/internal/traceview"
)

// What Jaeger's query API answers at /api/traces/{id}. Times are microseconds.
// https://github.com/jaegertracing/jaeger/blob/v1.76.0/internal/uimodel/model.go
type (
	jaegerTrace struct {
		Spans     []jaegerSpan             `json:"spans"`
		Processes map[string]jaegerProcess `json:"processes"`
	}
	jaegerSpan struct {
		TraceID    string            `json:"traceID"`
		SpanID     string            `json:"spanID"`
		ParentID   string            `json:"parentSpanID"` // of old versions
		Flags      uint32            `json:"flags"`
		Name       string            `json:"operationName"`
		References []jaegerReference `json:"references"`
		Start      int64             `json:"startTime"`
		Duration   int64             `json:"duration"`
		Tags       []jaegerTag       `json:"tags"`
		Logs       []jaegerLog       `json:"logs"`
		ProcessID  string            `json:"processID"`
	}
	jaegerReference struct {
		Type    string `json:"refType"`
		TraceID string `json:"traceID"`
		SpanID  string `json:"spanID"`
	}
	jaegerTag struct {
		Key   string          `json:"key"`
		Type  string          `json:"type"`
		Value json.RawMessage `json:"value"`
	}
	jaegerLog struct {
		Time   int64       `json:"timestamp"`
		Fields []jaegerTag `json:"fields"`
	}
	jaegerProcess struct {
		Service string      `json:"serviceName"`
		Tags    []jaegerTag `json:"tags"`
	}
)

// decodeJaeger translates Jaeger's form back into that of OpenTelemetry.
func decodeJaeger(data json.RawMessage) ([]traceview.Span, error) {
	var traces []jaegerTrace
	if err := json.Unmarshal(data, &traces); err != nil {
		return nil, fmt.Errorf("malformed trace of Jaeger: %w", err)
	}
	var spans []traceview.Span
	for _, tr := range traces {
		for i := range tr.Spans {
			s := &tr.Spans[i]
			if span, ok := s.convert(tr.Processes[s.ProcessID]); ok {
				spans = append(spans, span)
			}
		}
	}
	return spans, nil
}

func (s *jaegerSpan) convert(process jaegerProcess) (traceview.Span, bool) {
	traceID, spanID, ok := parseIDs(s.TraceID, s.SpanID)
	start := time.UnixMicro(s.Start).UTC()
	span := traceview.Span{
		TraceID: traceID, SpanID: spanID, Flags: s.Flags, Name: s.Name,
		Start: start, End: start.Add(time.Duration(s.Duration) * time.Microsecond),
		Service: process.Service,
	}
	span.Resource.Attributes = append(convertTags(process.Tags),
		traceview.Attribute{Key: "service.name", Value: process.Service})
	s.refer(&span)
	for _, tag := range s.Tags {
		tag.apply(&span)
	}
	for _, l := range s.Logs {
		span.Events = append(span.Events, l.convert())
	}
	return span, ok
}

// refer tells the parent from the links. Where a span has a link to its parent, as
// the spans of this project do that process a message, Jaeger keeps of the two only
// the link (FOLLOWS_FROM).
func (s *jaegerSpan) refer(span *traceview.Span) {
	var follows trace.SpanID
	for _, r := range s.References {
		traceID, spanID, ok := parseIDs(r.TraceID, r.SpanID)
		if !ok {
			continue
		}
		if r.Type == "CHILD_OF" && traceID == span.TraceID && !span.ParentID.IsValid() {
			span.ParentID = spanID
			continue
		}
		span.Links = append(span.Links, traceview.Link{TraceID: traceID, SpanID: spanID})
		if traceID == span.TraceID && !follows.IsValid() {
			follows = spanID
		}
	}
	if !span.ParentID.IsValid() {
		span.ParentID = follows
	}
	if _, parent, ok := parseIDs(s.TraceID, s.ParentID); ok && !span.ParentID.IsValid() {
		span.ParentID = parent
	}
}

var jaegerKinds = map[string]trace.SpanKind{
	"internal": trace.SpanKindInternal, "server": trace.SpanKindServer, "client": trace.SpanKindClient,
	"producer": trace.SpanKindProducer, "consumer": trace.SpanKindConsumer,
}

// apply puts a tag where OpenTelemetry has it.
func (t jaegerTag) apply(span *traceview.Span) {
	value := t.value()
	text, _ := value.(string)
	switch t.Key {
	case "span.kind":
		span.Kind = jaegerKinds[text]
	case "w3c.tracestate":
		span.TraceState = text
	case "otel.scope.name":
		span.Scope.Name = text
	case "otel.scope.version":
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
		span.Attributes = append(span.Attributes, traceview.Attribute{Key: t.Key, Value: value})
	}
}

// value is that of OTLP for the tag's.
func (t jaegerTag) value() any {
	switch t.Type {
	case "bool":
		var b bool
		if json.Unmarshal(t.Value, &b) == nil {
			return b
		}
	case "int64":
		var n json.Number // a string, where it would be too long for JavaScript
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

func convertTags(tags []jaegerTag) traceview.Attributes {
	var out traceview.Attributes
	for _, t := range tags {
		out = append(out, traceview.Attribute{Key: t.Key, Value: t.value()})
	}
	return out
}

func (l *jaegerLog) convert() traceview.Event {
	e := traceview.Event{Time: time.UnixMicro(l.Time).UTC()}
	for _, t := range l.Fields {
		if name, ok := t.value().(string); ok && t.Key == "event" && e.Name == "" {
			e.Name = name
			continue
		}
		e.Attributes = append(e.Attributes, traceview.Attribute{Key: t.Key, Value: t.value()})
	}
	return e
}

// parseIDs reads ids, which may lack their leading zeros.
func parseIDs(traceText, spanText string) (trace.TraceID, trace.SpanID, bool) {
	traceID, err := ParseID(traceText)
	if err != nil {
		return traceID, trace.SpanID{}, false
	}
	spanID, err := trace.SpanIDFromHex(pad(spanText, 16))
	return traceID, spanID, err == nil
}

func pad(text string, digits int) string {
	return strings.Repeat("0", max(0, digits-len(text))) + strings.ToLower(text)
}
