package sample

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/hex"
	"math"
	"regexp"
	"testing"

	"go.opentelemetry.io/otel/trace"
	collectorpb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	resourcepb "go.opentelemetry.io/proto/otlp/resource/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

// Text makes a value.
func Text(s string) *commonpb.AnyValue {
	return &commonpb.AnyValue{Value: &commonpb.AnyValue_StringValue{StringValue: s}}
}

// Pair returns an attribute.
func Pair(key string, value *commonpb.AnyValue) *commonpb.KeyValue {
	return &commonpb.KeyValue{Key: key, Value: value}
}

// Request returns what an exporter sends for the spans of one service.
func Request(spans ...*tracepb.Span) *collectorpb.ExportTraceServiceRequest {
	return &collectorpb.ExportTraceServiceRequest{ResourceSpans: []*tracepb.ResourceSpans{{
		Resource:   &resourcepb.Resource{Attributes: []*commonpb.KeyValue{Pair("service.name", Text("order-api"))}},
		SchemaUrl:  "https://opentelemetry.io/schemas/1.43.0",
		ScopeSpans: []*tracepb.ScopeSpans{{Scope: &commonpb.InstrumentationScope{Name: "scope", Version: "1.2.3"}, Spans: spans}},
	}}}
}

// WireSpan returns a span as it is sent.
func WireSpan(traceID trace.TraceID, n uint64) *tracepb.Span {
	id := SpanID(n)

	return &tracepb.Span{
		TraceId: traceID[:], SpanId: id[:], Name: "publish orders",
		Kind:              tracepb.Span_SPAN_KIND_PRODUCER,
		StartTimeUnixNano: 1_700_000_000_000_000_001, EndTimeUnixNano: 1_700_000_000_000_000_501,
	}
}

// Marshal encodes a message as protobuf.
func Marshal(tb testing.TB, m proto.Message) []byte {
	tb.Helper()

	b, err := proto.Marshal(m)
	if err != nil {
		tb.Fatal(err)
	}

	return b
}

// Compress compresses data with gzip.
func Compress(tb testing.TB, data []byte) []byte {
	tb.Helper()

	var b bytes.Buffer

	w := gzip.NewWriter(&b)
	if _, err := w.Write(data); err != nil {
		tb.Fatal(err)
	}

	if err := w.Close(); err != nil {
		tb.Fatal(err)
	}

	return b.Bytes()
}

// ArrayOf makes a value.
func ArrayOf(values ...*commonpb.AnyValue) *commonpb.AnyValue {
	return &commonpb.AnyValue{Value: &commonpb.AnyValue_ArrayValue{ArrayValue: &commonpb.ArrayValue{Values: values}}}
}

var idField = regexp.MustCompile(`"((?:parentS|s)panId|traceId)":\s*"([^"]*)"`)

// JSON encodes a message as OTLP/JSON: protobuf's mapping with ids in hexadecimal.
func JSON(tb testing.TB, m proto.Message) []byte {
	tb.Helper()

	b, err := protojson.MarshalOptions{UseEnumNumbers: true}.Marshal(m)
	if err != nil {
		tb.Fatal(err)
	}

	return idField.ReplaceAllFunc(b, func(field []byte) []byte {
		parts := idField.FindSubmatch(field)

		id, err := base64.StdEncoding.DecodeString(string(parts[2]))
		if err != nil {
			tb.Fatal(err)
		}

		return []byte(`"` + string(parts[1]) + `":"` + hex.EncodeToString(id) + `"`)
	})
}

// FullSpan returns a span with every field set.
func FullSpan() *tracepb.Span {
	s := WireSpan(ID, 2)
	parent, other := SpanID(1), SpanID(3)
	s.ParentSpanId, s.TraceState, s.Flags = parent[:], "vendor=1", 0x301
	s.Attributes = []*commonpb.KeyValue{
		Pair("z.string", Text("é\x1b")),
		Pair("a.bool", &commonpb.AnyValue{Value: &commonpb.AnyValue_BoolValue{BoolValue: true}}),
		Pair("int", &commonpb.AnyValue{Value: &commonpb.AnyValue_IntValue{IntValue: math.MinInt64}}),
		Pair("double", &commonpb.AnyValue{Value: &commonpb.AnyValue_DoubleValue{DoubleValue: 1.5}}),
		Pair("bytes", &commonpb.AnyValue{Value: &commonpb.AnyValue_BytesValue{BytesValue: []byte{0, 0xff}}}),
		Pair("array", ArrayOf(Text("x"), ArrayOf())),
		Pair("map", &commonpb.AnyValue{Value: &commonpb.AnyValue_KvlistValue{KvlistValue: &commonpb.KeyValueList{
			Values: []*commonpb.KeyValue{Pair("traceId", Text("not an id"))},
		}}}),
		Pair("empty", nil),
	}
	s.DroppedAttributesCount, s.DroppedEventsCount, s.DroppedLinksCount = 1, 2, 3
	s.Events = []*tracepb.Span_Event{{
		TimeUnixNano: 1_700_000_000_000_000_100, Name: "event",
		Attributes: []*commonpb.KeyValue{Pair("k", Text("v"))}, DroppedAttributesCount: 4,
	}}
	s.Links = []*tracepb.Span_Link{
		{
			TraceId: OtherID[:], SpanId: other[:], TraceState: "vendor=2", Flags: 1,
			Attributes: []*commonpb.KeyValue{Pair("k", Text("v"))}, DroppedAttributesCount: 5,
		},
		{TraceId: OtherID[:15], SpanId: other[:]},
	}
	s.Status = &tracepb.Status{Code: tracepb.Status_STATUS_CODE_ERROR, Message: "boom"}

	return s
}
