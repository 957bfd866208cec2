package traceview_test

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	resourcepb "go.opentelemetry.io/proto/otlp/resource/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/mqtrace/mqtrace/internal/traceview"
)

func arrayOf(values ...*commonpb.AnyValue) *commonpb.AnyValue {
	return &commonpb.AnyValue{Value: &commonpb.AnyValue_ArrayValue{ArrayValue: &commonpb.ArrayValue{Values: values}}}
}

var idField = regexp.MustCompile(`"((?:parentS|s)panId|traceId)":\s*"([^"]*)"`)

// toJSON writes OTLP/JSON: protobuf's mapping with the ids in hexadecimal.
func toJSON(t testing.TB, m proto.Message) []byte {
	t.Helper()

	b, err := protojson.MarshalOptions{UseEnumNumbers: true}.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}

	return idField.ReplaceAllFunc(b, func(field []byte) []byte {
		parts := idField.FindSubmatch(field)

		id, err := base64.StdEncoding.DecodeString(string(parts[2]))
		if err != nil {
			t.Fatal(err)
		}

		return []byte(`"` + string(parts[1]) + `":"` + hex.EncodeToString(id) + `"`)
	})
}

// fullSpan has every field set.
func fullSpan() *tracepb.Span {
	s := wireSpan(sampleID, 2)
	parent, other := spanID(1), spanID(3)
	s.ParentSpanId, s.TraceState, s.Flags = parent[:], "vendor=1", 0x301
	s.Attributes = []*commonpb.KeyValue{
		pair("z.string", text("é\x1b")),
		pair("a.bool", &commonpb.AnyValue{Value: &commonpb.AnyValue_BoolValue{BoolValue: true}}),
		pair("int", &commonpb.AnyValue{Value: &commonpb.AnyValue_IntValue{IntValue: math.MinInt64}}),
		pair("double", &commonpb.AnyValue{Value: &commonpb.AnyValue_DoubleValue{DoubleValue: 1.5}}),
		pair("bytes", &commonpb.AnyValue{Value: &commonpb.AnyValue_BytesValue{BytesValue: []byte{0, 0xff}}}),
		pair("array", arrayOf(text("x"), arrayOf())),
		pair("map", &commonpb.AnyValue{Value: &commonpb.AnyValue_KvlistValue{KvlistValue: &commonpb.KeyValueList{
			Values: []*commonpb.KeyValue{pair("traceId", text("not an id"))},
		}}}),
		pair("empty", nil),
	}
	s.DroppedAttributesCount, s.DroppedEventsCount, s.DroppedLinksCount = 1, 2, 3
	s.Events = []*tracepb.Span_Event{{
		TimeUnixNano: 1_700_000_000_000_000_100, Name: "event",
		Attributes: []*commonpb.KeyValue{pair("k", text("v"))}, DroppedAttributesCount: 4,
	}}
	s.Links = []*tracepb.Span_Link{
		{
			TraceId: otherID[:], SpanId: other[:], TraceState: "vendor=2", Flags: 1,
			Attributes: []*commonpb.KeyValue{pair("k", text("v"))}, DroppedAttributesCount: 5,
		},
		{TraceId: otherID[:15], SpanId: other[:]},
	}
	s.Status = &tracepb.Status{Code: tracepb.Status_STATUS_CODE_ERROR, Message: "boom"}

	return s
}

func TestDecodeEveryField(t *testing.T) {
	req := request(fullSpan())
	req.ResourceSpans[0].Resource = &resourcepb.Resource{
		Attributes: []*commonpb.KeyValue{pair("service.name", text("order-api"))}, DroppedAttributesCount: 6,
	}
	scope := req.GetResourceSpans()[0].GetScopeSpans()[0]
	scope.SchemaUrl, scope.Scope.DroppedAttributesCount = "https://example.com/schema", 7
	scope.Scope.Attributes = []*commonpb.KeyValue{pair("k", text("v"))}

	kv := traceview.Attributes{{Key: "k", Value: "v"}}
	start := epochNano(1_700_000_000_000_000_001)
	want := traceview.Span{
		TraceID: sampleID, SpanID: spanID(2), ParentID: spanID(1), TraceState: "vendor=1", Flags: 0x301,
		Name: "publish orders", Kind: trace.SpanKindProducer, Start: start, End: start.Add(500),
		Status: traceview.Status{Code: codes.Error, Message: "boom"},
		Attributes: traceview.Attributes{
			{"z.string", "é\x1b"},
			{"a.bool", true},
			{"int", int64(math.MinInt64)},
			{"double", 1.5},
			{"bytes", []byte{0, 0xff}},
			{"array", []any{"x", []any{}}},
			{"map", traceview.Attributes{{"traceId", "not an id"}}},
			{"empty", nil},
		},
		Events: []traceview.Event{{Time: start.Add(99), Name: "event", Attributes: kv, DroppedAttributes: 4}},
		Links: []traceview.Link{{
			TraceID: otherID, SpanID: spanID(3), TraceState: "vendor=2", Flags: 1, Attributes: kv, DroppedAttributes: 5,
		}},
		Service: "order-api",
		Resource: traceview.Resource{
			Attributes: traceview.Attributes{{"service.name", "order-api"}},
			SchemaURL:  "https://opentelemetry.io/schemas/1.43.0", DroppedAttributes: 6,
		},
		Scope: traceview.Scope{
			Name: "scope", Version: "1.2.3", Attributes: kv, SchemaURL: "https://example.com/schema", DroppedAttributes: 7,
		},
		DroppedAttributes: 1, DroppedEvents: 2, DroppedLinks: 4, // one of them for its invalid id
	}

	fromProtobuf, err := traceview.DecodeProtobuf(marshal(t, req))
	if err != nil {
		t.Fatal(err)
	}

	fromJSON, err := traceview.DecodeJSON(toJSON(t, req))
	if err != nil {
		t.Fatal(err)
	}

	for name, got := range map[string]traceview.Decoded{"protobuf": fromProtobuf, "JSON": fromJSON} {
		if len(got.Spans) != 1 || !reflect.DeepEqual(got.Spans[0], want) {
			t.Errorf("%s:\ngot  %+v\nwant %+v", name, got.Spans, want)
		}
	}
}

func TestDecodeStatusAndKind(t *testing.T) {
	for wire, want := range map[tracepb.Status_StatusCode]codes.Code{0: codes.Unset, 1: codes.Ok, 2: codes.Error, 77: codes.Unset} {
		span := wireSpan(sampleID, 1)
		span.Status = &tracepb.Status{Code: wire}

		got, err := traceview.DecodeProtobuf(marshal(t, request(span)))
		if err != nil || got.Spans[0].Status.Code != want {
			t.Errorf("status %d: %v, %v", wire, got, err)
		}
	}

	for wire, want := range map[tracepb.Span_SpanKind]trace.SpanKind{
		0: trace.SpanKindUnspecified, 1: internal, 2: server, 3: client, 4: producer, 5: consumer,
		6: trace.SpanKindUnspecified, -1: trace.SpanKindUnspecified,
	} {
		span := wireSpan(sampleID, 1)
		span.Kind = wire

		got, err := traceview.DecodeProtobuf(marshal(t, request(span)))
		if err != nil || got.Spans[0].Kind != want {
			t.Errorf("kind %d: %v, %v", wire, got, err)
		}
	}
}

func TestDecodeJSONIDs(t *testing.T) {
	const (
		traceID = "5b8efff798038103d269b633813fc60c"
		spanID  = "eee19b7ec3c1b174"
	)

	span := func(fields string) string {
		return `{"resourceSpans":[{"scopeSpans":[{"spans":[{` + fields + `}]}]}]}`
	}

	for _, tt := range []struct {
		name, body string
		stored     int
		parent     string
	}{
		{"lower case", span(`"traceId":"` + traceID + `","spanId":"` + spanID + `"`), 1, ""},
		{"upper case", span(`"traceId":"` + strings.ToUpper(traceID) + `","spanId":"` + strings.ToUpper(spanID) + `"`), 1, ""},
		{"spaces", span(`"traceId" : "` + traceID + "\" ,\n\t\"spanId\"\r\n:\n\"" + spanID + `"`), 1, ""},
		{"escapes", span(`"trace\u0049d":"\u0035` + traceID[1:] + `","spanId":"` + spanID + `"`), 1, ""},
		{"a parent", span(`"traceId":"` + traceID + `","spanId":"` + spanID + `","parentSpanId":"EEE19B7EC3C1B173"`), 1, "eee19b7ec3c1b173"},
		{"an empty parent", span(`"traceId":"` + traceID + `","spanId":"` + spanID + `","parentSpanId":""`), 1, ""},
		{"a parent of zeros", span(`"traceId":"` + traceID + `","spanId":"` + spanID + `","parentSpanId":"0000000000000000"`), 1, ""},
		{"no parent", span(`"traceId":"` + traceID + `","spanId":"` + spanID + `","parentSpanId":null`), 1, ""},
		{"a short parent", span(`"traceId":"` + traceID + `","spanId":"` + spanID + `","parentSpanId":"ee"`), 0, ""},
		{"a parent that is no id", span(`"traceId":"` + traceID + `","spanId":"` + spanID + `","parentSpanId":"!"`), 0, ""},
		{"base64", span(`"traceId":"W47/95gDgQPSabYzgT/GDA==","spanId":"7uGbfsPBsXQ="`), 0, ""},
		{"an odd digit", span(`"traceId":"` + traceID + `0","spanId":"` + spanID + `"`), 0, ""},
		{"one digit less", span(`"traceId":"` + traceID[1:] + `","spanId":"` + spanID + `"`), 0, ""},
		{"a byte less", span(`"traceId":"` + traceID + `","spanId":"` + spanID[2:] + `"`), 0, ""},
		{"a byte more", span(`"traceId":"` + traceID + `","spanId":"00` + spanID + `"`), 0, ""},
		{"zeros", span(`"traceId":"00000000000000000000000000000000","spanId":"` + spanID + `"`), 0, ""},
		{"empty", span(`"traceId":"","spanId":""`), 0, ""},
		{"not hexadecimal", span(`"traceId":"` + traceID[:31] + `g","spanId":"` + spanID + `"`), 0, ""},
		{"far too long", span(`"traceId":"` + strings.Repeat(traceID, 1000) + `","spanId":"` + spanID + `"`), 0, ""},
		{"missing", span(`"name":"x"`), 0, ""},
		{
			"where it means nothing",
			span(`"new":{"traceId":"x","spanId":[{"traceId":1}]},"name":"traceId","traceId":"` + traceID + `","spanId":"` + spanID + `"`), 1, "",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := traceview.DecodeJSON([]byte(tt.body))
			if err != nil {
				t.Fatal(err)
			}

			if len(got.Spans) != tt.stored || got.Invalid != 1-tt.stored {
				t.Fatalf("got %+v", got)
			}

			if tt.stored == 0 {
				return
			}

			s := got.Spans[0]
			if s.TraceID.String() != traceID || s.SpanID.String() != spanID {
				t.Errorf("got %s %s", s.TraceID, s.SpanID)
			}

			if s.ParentID.IsValid() != (tt.parent != "") || tt.parent != "" && s.ParentID.String() != tt.parent {
				t.Errorf("parent %s", s.ParentID)
			}
		})
	}
}

func TestDecodeJSONIsLenient(t *testing.T) {
	body, err := os.ReadFile(filepath.Join("testdata", "request.json"))
	if err != nil {
		t.Fatal(err)
	}

	got, err := traceview.DecodeJSON(body)
	if err != nil {
		t.Fatal(err)
	}

	if len(got.Spans) != 1 || got.Invalid != 0 {
		t.Fatalf("got %+v", got)
	}

	s := got.Spans[0]
	if s.Kind != consumer || s.Status.Code != codes.Error || s.Service != "notification" ||
		s.Duration().Milliseconds() != 1500 || len(s.Links) != 1 || len(s.Events) != 1 {
		t.Errorf("got %+v", s)
	}

	for key, want := range map[string]any{
		"int as a string": int64(9007199254740993), "int as a number": int64(42),
		"nan": "NaN", "bytes": []byte("hi"), "of a new type": nil,
	} {
		v, ok := s.Attributes.Get(key)
		if f, isFloat := v.(float64); isFloat && math.IsNaN(f) {
			v = "NaN"
		}

		if !ok || !reflect.DeepEqual(v, want) {
			t.Errorf("%s: got %#v, want %#v", key, v, want)
		}
	}
}

func TestDecodeErrors(t *testing.T) {
	_, err := traceview.DecodeJSON([]byte(`{"a":[` + strings.Repeat("{},", 1<<21)))
	if !errors.Is(err, traceview.ErrTooLarge) {
		t.Errorf("got %v", err)
	}

	for _, body := range []string{``, `[]`, `"`, `{"`, `{"traceId":"`, `{"traceId":"\`, `{"traceId":"\"`, `]]]]`, "{\"\xff\":1}"} {
		if _, err := traceview.DecodeJSON([]byte(body)); err == nil {
			t.Errorf("%q: no error", body)
		}
	}
}
