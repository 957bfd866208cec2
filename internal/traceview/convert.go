package traceview

import (
	"math"
	"time"

	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	resourcepb "go.opentelemetry.io/proto/otlp/resource/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
)

func convert(resourceSpans []*tracepb.ResourceSpans) Decoded {
	var out Decoded

	for _, rs := range resourceSpans {
		resource := convertResource(rs.GetResource(), rs.GetSchemaUrl())
		service := resource.Attributes.Text("service.name")

		for _, ss := range rs.GetScopeSpans() {
			scope := convertScope(ss.GetScope(), ss.GetSchemaUrl())

			for _, s := range ss.GetSpans() {
				span, ok := convertSpan(s)
				if !ok {
					out.Invalid++

					continue
				}

				span.Service, span.Resource, span.Scope = service, resource, scope
				out.Spans = append(out.Spans, span)
			}
		}
	}

	return out
}

func convertResource(r *resourcepb.Resource, schemaURL string) Resource {
	return Resource{
		Attributes:        convertAttributes(r.GetAttributes()),
		SchemaURL:         schemaURL,
		DroppedAttributes: r.GetDroppedAttributesCount(),
	}
}

func convertScope(s *commonpb.InstrumentationScope, schemaURL string) Scope {
	return Scope{
		Name:              s.GetName(),
		Version:           s.GetVersion(),
		Attributes:        convertAttributes(s.GetAttributes()),
		SchemaURL:         schemaURL,
		DroppedAttributes: s.GetDroppedAttributesCount(),
	}
}

func convertSpan(s *tracepb.Span) (Span, bool) {
	traceID, okTrace := convertTraceID(s.GetTraceId())
	spanID, okSpan := convertSpanID(s.GetSpanId())

	// A root has no parent id, or, from some senders, one of zeros.
	parentID, _ := convertSpanID(s.GetParentSpanId())
	okParent := len(s.GetParentSpanId()) == 0 || len(s.GetParentSpanId()) == len(parentID)

	if !okTrace || !okSpan || !okParent {
		return Span{}, false
	}

	span := Span{
		TraceID:           traceID,
		SpanID:            spanID,
		ParentID:          parentID,
		TraceState:        s.GetTraceState(),
		Flags:             s.GetFlags(),
		Name:              s.GetName(),
		Kind:              convertKind(s.GetKind()),
		Start:             convertTime(s.GetStartTimeUnixNano()),
		End:               convertTime(s.GetEndTimeUnixNano()),
		Status:            convertStatus(s.GetStatus()),
		Attributes:        convertAttributes(s.GetAttributes()),
		Events:            convertEvents(s.GetEvents()),
		DroppedAttributes: s.GetDroppedAttributesCount(),
		DroppedEvents:     s.GetDroppedEventsCount(),
		DroppedLinks:      s.GetDroppedLinksCount(),
	}

	var invalid uint32

	span.Links, invalid = convertLinks(s.GetLinks())
	span.DroppedLinks = addDropped(span.DroppedLinks, invalid)

	return span, true
}

func addDropped(a, b uint32) uint32 {
	return uint32(min(uint64(a)+uint64(b), math.MaxUint32))
}

func convertEvents(events []*tracepb.Span_Event) []Event {
	if len(events) == 0 {
		return nil
	}

	out := make([]Event, 0, len(events))
	for _, e := range events {
		out = append(out, Event{
			Time:              convertTime(e.GetTimeUnixNano()),
			Name:              e.GetName(),
			Attributes:        convertAttributes(e.GetAttributes()),
			DroppedAttributes: e.GetDroppedAttributesCount(),
		})
	}

	return out
}

func convertLinks(links []*tracepb.Span_Link) (out []Link, invalid uint32) {
	for _, l := range links {
		traceID, okTrace := convertTraceID(l.GetTraceId())
		spanID, okSpan := convertSpanID(l.GetSpanId())

		if !okTrace || !okSpan {
			invalid++

			continue
		}

		out = append(out, Link{
			TraceID:           traceID,
			SpanID:            spanID,
			TraceState:        l.GetTraceState(),
			Flags:             l.GetFlags(),
			Attributes:        convertAttributes(l.GetAttributes()),
			DroppedAttributes: l.GetDroppedAttributesCount(),
		})
	}

	return out, invalid
}

func convertTraceID(b []byte) (id trace.TraceID, ok bool) {
	if len(b) != len(id) {
		return id, false
	}

	copy(id[:], b)

	return id, id.IsValid()
}

func convertSpanID(b []byte) (id trace.SpanID, ok bool) {
	if len(b) != len(id) {
		return id, false
	}

	copy(id[:], b)

	return id, id.IsValid()
}

// convertKind relies on OTLP and the API numbering the kinds alike.
func convertKind(kind tracepb.Span_SpanKind) trace.SpanKind {
	if kind < tracepb.Span_SPAN_KIND_UNSPECIFIED || kind > tracepb.Span_SPAN_KIND_CONSUMER {
		return trace.SpanKindUnspecified
	}

	return trace.SpanKind(kind)
}

func convertStatus(s *tracepb.Status) Status {
	status := Status{Message: s.GetMessage()}

	// The API and OTLP number these differently.
	switch s.GetCode() {
	case tracepb.Status_STATUS_CODE_OK:
		status.Code = codes.Ok
	case tracepb.Status_STATUS_CODE_ERROR:
		status.Code = codes.Error
	case tracepb.Status_STATUS_CODE_UNSET:
		status.Code = codes.Unset
	}

	return status
}

func convertTime(nanos uint64) time.Time {
	if nanos == 0 {
		return time.Time{}
	}

	// In two parts: the upper half of the range does not fit an int64.
	return time.Unix(int64(nanos/1e9), int64(nanos%1e9)).UTC()
}

func convertAttributes(kvs []*commonpb.KeyValue) Attributes {
	if len(kvs) == 0 {
		return nil
	}

	out := make(Attributes, 0, len(kvs))
	for _, kv := range kvs {
		out = append(out, Attribute{Key: kv.GetKey(), Value: convertValue(kv.GetValue())})
	}

	return out
}

func convertValue(v *commonpb.AnyValue) any {
	switch v := v.GetValue().(type) {
	case *commonpb.AnyValue_StringValue:
		return v.StringValue
	case *commonpb.AnyValue_BoolValue:
		return v.BoolValue
	case *commonpb.AnyValue_IntValue:
		return v.IntValue
	case *commonpb.AnyValue_DoubleValue:
		return v.DoubleValue
	case *commonpb.AnyValue_BytesValue:
		return v.BytesValue
	case *commonpb.AnyValue_ArrayValue:
		out := make([]any, 0, len(v.ArrayValue.GetValues()))
		for _, element := range v.ArrayValue.GetValues() {
			out = append(out, convertValue(element))
		}

		return out
	case *commonpb.AnyValue_KvlistValue:
		return convertAttributes(v.KvlistValue.GetValues())
	default:
		return nil
	}
}
