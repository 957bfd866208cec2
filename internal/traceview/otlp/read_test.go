package otlp_test

import (
	"errors"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	resourcepb "go.opentelemetry.io/proto/otlp/resource/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"

	"github.com/mqtrace/mqtrace/internal/traceview/otlp"
	"github.com/mqtrace/mqtrace/internal/traceview/sample"
	"github.com/mqtrace/mqtrace/internal/traceview/spans"
)

func TestDecodeEveryField(t *testing.T) {
	req := sample.Request(sample.FullSpan())
	req.ResourceSpans[0].Resource = &resourcepb.Resource{
		Attributes: []*commonpb.KeyValue{sample.Pair("service.name", sample.Text("order-api"))}, DroppedAttributesCount: 6,
	}
	scope := req.GetResourceSpans()[0].GetScopeSpans()[0]
	scope.SchemaUrl, scope.Scope.DroppedAttributesCount = "https://example.com/schema", 7
	scope.Scope.Attributes = []*commonpb.KeyValue{sample.Pair("k", sample.Text("v"))}

	kv := spans.Attributes{{Key: "k", Value: "v"}}
	start := sample.Nano(1_700_000_000_000_000_001)
	want := spans.Span{
		TraceID: sample.ID, SpanID: sample.SpanID(2), ParentID: sample.SpanID(1), TraceState: "vendor=1", Flags: 0x301,
		Name: "publish orders", Kind: trace.SpanKindProducer, Start: start, End: start.Add(500),
		Status: spans.Status{Code: codes.Error, Message: "boom"},
		Attributes: spans.Attributes{
			{Key: "z.string", Value: "é\x1b"},
			{Key: "a.bool", Value: true},
			{Key: "int", Value: int64(math.MinInt64)},
			{Key: "double", Value: 1.5},
			{Key: "bytes", Value: []byte{0, 0xff}},
			{Key: "array", Value: []any{"x", []any{}}},
			{Key: "map", Value: spans.Attributes{{Key: "traceId", Value: "not an id"}}},
			{Key: "empty", Value: nil},
		},
		Events: []spans.Event{{Time: start.Add(99), Name: "event", Attributes: kv, DroppedAttributes: 4}},
		Links: []spans.Link{{
			TraceID: sample.OtherID, SpanID: sample.SpanID(3), TraceState: "vendor=2", Flags: 1, Attributes: kv, DroppedAttributes: 5,
		}},
		Service: "order-api",
		Resource: spans.Resource{
			Attributes: spans.Attributes{{Key: "service.name", Value: "order-api"}},
			SchemaURL:  "https://opentelemetry.io/schemas/1.43.0", DroppedAttributes: 6,
		},
		Scope: spans.Scope{
			Name: "scope", Version: "1.2.3", Attributes: kv, SchemaURL: "https://example.com/schema", DroppedAttributes: 7,
		},
		DroppedAttributes: 1, DroppedEvents: 2, DroppedLinks: 4, // one of them because of its invalid id
	}

	fromProtobuf, err := otlp.DecodeProtobuf(sample.Marshal(t, req))
	if err != nil {
		t.Fatal(err)
	}

	fromJSON, err := otlp.DecodeJSON(sample.JSON(t, req))
	if err != nil {
		t.Fatal(err)
	}

	for name, got := range map[string]otlp.Decoded{"protobuf": fromProtobuf, "JSON": fromJSON} {
		if len(got.Spans) != 1 || !reflect.DeepEqual(got.Spans[0], want) {
			t.Errorf("%s:\ngot  %+v\nwant %+v", name, got.Spans, want)
		}
	}
}

func TestDecodeStatusAndKind(t *testing.T) {
	for wire, want := range map[tracepb.Status_StatusCode]codes.Code{0: codes.Unset, 1: codes.Ok, 2: codes.Error, 77: codes.Unset} {
		span := sample.WireSpan(sample.ID, 1)
		span.Status = &tracepb.Status{Code: wire}

		got, err := otlp.DecodeProtobuf(sample.Marshal(t, sample.Request(span)))
		if err != nil || got.Spans[0].Status.Code != want {
			t.Errorf("status %d: %v, %v", wire, got, err)
		}
	}

	for wire, want := range map[tracepb.Span_SpanKind]trace.SpanKind{
		0: trace.SpanKindUnspecified, 1: sample.Internal, 2: sample.Server, 3: sample.Client, 4: sample.Producer, 5: sample.Consumer,
		6: trace.SpanKindUnspecified, -1: trace.SpanKindUnspecified,
	} {
		span := sample.WireSpan(sample.ID, 1)
		span.Kind = wire

		got, err := otlp.DecodeProtobuf(sample.Marshal(t, sample.Request(span)))
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
		{"a short parent", span(`"traceId":"` + traceID + `","spanId":"` + spanID + `","parentSpanId":"ee"`), 1, ""},
		{"a parent that is not an id", span(`"traceId":"` + traceID + `","spanId":"` + spanID + `","parentSpanId":"!"`), 1, ""},
		{"base64", span(`"traceId":"W47/95gDgQPSabYzgT/GDA==","spanId":"7uGbfsPBsXQ="`), 1, ""},
		{"base64 for URLs", span(`"traceId":"W47_95gDgQPSabYzgT_GDA","spanId":"7uGbfsPBsXQ"`), 1, ""},
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
			got, err := otlp.DecodeJSON([]byte(tt.body))
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

	got, err := otlp.DecodeJSON(body)
	if err != nil {
		t.Fatal(err)
	}

	if len(got.Spans) != 1 || got.Invalid != 0 {
		t.Fatalf("got %+v", got)
	}

	s := got.Spans[0]
	if s.Kind != sample.Consumer || s.Status.Code != codes.Error || s.Service != "notification" ||
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
	_, err := otlp.DecodeJSON([]byte(`{"resourceSpans":[{"scopeSpans":[{"spans":[{}` + strings.Repeat(",{}", 1<<21) + `]}]}]}`))
	if !errors.Is(err, otlp.ErrTooLarge) {
		t.Errorf("got %v", err)
	}

	for _, body := range []string{``, `[]`, `"`, `{"`, `{"traceId":"`, `{"traceId":"\`, `{"traceId":"\"`, `]]]]`, `{"resourceSpans":[{]}`} {
		if _, err := otlp.DecodeJSON([]byte(body)); err == nil {
			t.Errorf("%q: no error", body)
		}
	}
}
