package integration_test

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"

	collectorpb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
)

// attrs are attributes with Go values: string, bool, int64, float64.
type attrs map[string]any

// span is a span as it went over the wire, in the terms of these tests.
type span struct {
	trace, id, parent string // hexadecimal
	service, name     string
	kind              string // server, client, internal, producer, consumer
	status            string // "", ok, error
	message           string // of the status
	start, end        time.Time
	attrs, resource   attrs
	links             []string // "trace/span"
	events            int
	scope, schema     string
}

// key names a span within a trace.
func (s *span) key() string { return s.service + ": " + s.name }

func (s *span) ref() string { return s.trace + "/" + s.id }

func (s *span) String() string {
	return fmt.Sprintf("%s (%s, status %q %q, %v)", s.key(), s.kind, s.status, s.message, s.attrs)
}

// spansOf returns the spans of an OTLP request.
func spansOf(request *collectorpb.ExportTraceServiceRequest) []*span {
	var spans []*span
	for _, rs := range request.GetResourceSpans() {
		resource := attrsOf(rs.GetResource().GetAttributes())
		service, _ := resource["service.name"].(string)
		for _, ss := range rs.GetScopeSpans() {
			for _, in := range ss.GetSpans() {
				s := spanOf(in)
				s.service, s.resource = service, resource
				s.scope, s.schema = ss.GetScope().GetName(), ss.GetSchemaUrl()
				spans = append(spans, s)
			}
		}
	}
	return spans
}

func spanOf(in *tracepb.Span) *span {
	s := &span{
		trace:   hex.EncodeToString(in.GetTraceId()),
		id:      hex.EncodeToString(in.GetSpanId()),
		parent:  hex.EncodeToString(in.GetParentSpanId()),
		name:    in.GetName(),
		kind:    strings.ToLower(strings.TrimPrefix(in.GetKind().String(), "SPAN_KIND_")),
		status:  strings.ToLower(strings.TrimPrefix(in.GetStatus().GetCode().String(), "STATUS_CODE_")),
		message: in.GetStatus().GetMessage(),
		start:   time.Unix(0, int64(in.GetStartTimeUnixNano())),
		end:     time.Unix(0, int64(in.GetEndTimeUnixNano())),
		attrs:   attrsOf(in.GetAttributes()),
		events:  len(in.GetEvents()),
	}
	if s.status == "unset" {
		s.status = ""
	}
	for _, link := range in.GetLinks() {
		s.links = append(s.links, hex.EncodeToString(link.GetTraceId())+"/"+hex.EncodeToString(link.GetSpanId()))
	}
	return s
}

func attrsOf(in []*commonpb.KeyValue) attrs {
	out := make(attrs, len(in))
	for _, kv := range in {
		switch v := kv.GetValue().GetValue().(type) {
		case *commonpb.AnyValue_StringValue:
			out[kv.GetKey()] = v.StringValue
		case *commonpb.AnyValue_BoolValue:
			out[kv.GetKey()] = v.BoolValue
		case *commonpb.AnyValue_IntValue:
			out[kv.GetKey()] = v.IntValue
		case *commonpb.AnyValue_DoubleValue:
			out[kv.GetKey()] = v.DoubleValue
		default:
			out[kv.GetKey()] = kv.GetValue().String()
		}
	}
	return out
}

// trace is the spans of one trace.
type trace []*span

// all returns the spans with that key, in the order of their start.
func (t trace) all(key string) []*span {
	var found []*span
	for _, s := range t {
		if s.key() == key {
			found = append(found, s)
		}
	}
	slices.SortFunc(found, func(a, b *span) int { return a.start.Compare(b.start) })
	return found
}

func (t trace) keys() []string {
	var keys []string
	for _, s := range t {
		keys = append(keys, s.key())
	}
	slices.Sort(keys)
	return keys
}

// has reports whether the trace has all of the keys, each as often as given.
func (t trace) has(keys ...string) bool {
	left := t.keys()
	for _, key := range keys {
		at := slices.Index(left, key)
		if at < 0 {
			return false
		}
		left = slices.Delete(left, at, at+1)
	}
	return true
}
