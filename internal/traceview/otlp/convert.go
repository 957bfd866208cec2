package otlp

import (
	"math"
	"strings"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/mqtrace/mqtrace/internal/traceview/spans"
)

func convertResource(r pcommon.Resource, schemaURL string) spans.Resource {
	return spans.Resource{
		Attributes: convertAttributes(r.Attributes()), SchemaURL: schemaURL,
		DroppedAttributes: r.DroppedAttributesCount(),
	}
}

func convertScope(s pcommon.InstrumentationScope, schemaURL string) spans.Scope {
	return spans.Scope{
		Name: validText(s.Name()), Version: validText(s.Version()),
		Attributes: convertAttributes(s.Attributes()), SchemaURL: schemaURL,
		DroppedAttributes: s.DroppedAttributesCount(),
	}
}

// convertSpan reports whether the span has valid ids.
func convertSpan(s ptrace.Span) (spans.Span, bool) {
	out := spans.Span{
		TraceID:           trace.TraceID(s.TraceID()),
		SpanID:            trace.SpanID(s.SpanID()),
		ParentID:          trace.SpanID(s.ParentSpanID()),
		TraceState:        validText(s.TraceState().AsRaw()),
		Flags:             s.Flags(),
		Name:              validText(s.Name()),
		Kind:              convertKind(s.Kind()),
		Start:             convertTime(s.StartTimestamp()),
		End:               convertTime(s.EndTimestamp()),
		Status:            convertStatus(s.Status()),
		Attributes:        convertAttributes(s.Attributes()),
		Events:            convertEvents(s.Events()),
		DroppedAttributes: s.DroppedAttributesCount(),
		DroppedEvents:     s.DroppedEventsCount(),
	}

	var invalid uint32

	out.Links, invalid = convertLinks(s.Links())
	out.DroppedLinks = uint32(min(uint64(s.DroppedLinksCount())+uint64(invalid), math.MaxUint32))

	return out, out.TraceID.IsValid() && out.SpanID.IsValid()
}

func convertEvents(events ptrace.SpanEventSlice) []spans.Event {
	if events.Len() == 0 {
		return nil
	}

	out := make([]spans.Event, 0, events.Len())
	for _, e := range events.All() {
		out = append(out, spans.Event{
			Time: convertTime(e.Timestamp()), Name: validText(e.Name()),
			Attributes: convertAttributes(e.Attributes()), DroppedAttributes: e.DroppedAttributesCount(),
		})
	}

	return out
}

func convertLinks(links ptrace.SpanLinkSlice) (out []spans.Link, invalid uint32) {
	for _, l := range links.All() {
		if l.TraceID().IsEmpty() || l.SpanID().IsEmpty() {
			invalid++

			continue
		}

		out = append(out, spans.Link{
			TraceID: trace.TraceID(l.TraceID()), SpanID: trace.SpanID(l.SpanID()),
			TraceState: validText(l.TraceState().AsRaw()), Flags: l.Flags(),
			Attributes: convertAttributes(l.Attributes()), DroppedAttributes: l.DroppedAttributesCount(),
		})
	}

	return out, invalid
}

// convertKind relies on OTLP and the API numbering the kinds alike.
func convertKind(kind ptrace.SpanKind) trace.SpanKind {
	if kind < ptrace.SpanKindUnspecified || kind > ptrace.SpanKindConsumer {
		return trace.SpanKindUnspecified
	}

	return trace.SpanKind(kind)
}

// convertStatus converts the codes, which the API and OTLP number differently.
func convertStatus(s ptrace.Status) spans.Status {
	status := spans.Status{Message: validText(s.Message())}

	switch s.Code() {
	case ptrace.StatusCodeOk:
		status.Code = codes.Ok
	case ptrace.StatusCodeError:
		status.Code = codes.Error
	case ptrace.StatusCodeUnset:
		status.Code = codes.Unset
	}

	return status
}

func convertTime(nanos pcommon.Timestamp) time.Time {
	if nanos == 0 {
		return time.Time{}
	}

	// In two steps: the upper half of the range does not fit into an int64.
	return time.Unix(int64(nanos/1e9), int64(nanos%1e9)).UTC()
}

func convertAttributes(m pcommon.Map) spans.Attributes {
	if m.Len() == 0 {
		return nil
	}

	out := make(spans.Attributes, 0, m.Len())
	for key, value := range m.All() {
		out = append(out, spans.Attribute{Key: validText(key), Value: convertValue(value)})
	}

	return out
}

func convertValue(v pcommon.Value) any {
	switch v.Type() {
	case pcommon.ValueTypeStr:
		return validText(v.Str())
	case pcommon.ValueTypeBool:
		return v.Bool()
	case pcommon.ValueTypeInt:
		return v.Int()
	case pcommon.ValueTypeDouble:
		return v.Double()
	case pcommon.ValueTypeBytes:
		return append([]byte{}, v.Bytes().AsRaw()...)
	case pcommon.ValueTypeSlice:
		out := make([]any, 0, v.Slice().Len())
		for _, element := range v.Slice().All() {
			out = append(out, convertValue(element))
		}

		return out
	case pcommon.ValueTypeMap:
		return convertAttributes(v.Map())
	default:
		return nil
	}
}

// validText replaces invalid UTF-8 with U+FFFD.
func validText(text string) string { return strings.ToValidUTF8(text, "\ufffd") }
