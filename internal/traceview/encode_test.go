package traceview_test

import (
	"bytes"
	"encoding/json"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel/codes"

	"github.com/mqtrace/mqtrace/internal/traceview"
)

// everySpan has something in every field that OTLP has.
func everySpan() traceview.Span {
	every := traceview.Attributes{
		{Key: "string", Value: "<b>\"\\ \u2028 ü"},
		{Key: "empty", Value: ""},
		{Key: "bool", Value: false},
		{Key: "int", Value: int64(math.MinInt64)},
		{Key: "zero", Value: int64(0)},
		{Key: "double", Value: 0.1},
		{Key: "infinity", Value: math.Inf(-1)},
		{Key: "bytes", Value: []byte{0, 255}},
		{Key: "no bytes", Value: []byte{}},
		{Key: "array", Value: []any{"a", int64(1), nil, []any{}}},
		{Key: "map", Value: traceview.Attributes{{Key: "spanId", Value: "not an id"}}},
		{Key: "null", Value: nil},
	}

	s := linked(spanAt(1, 2, "order-api", "publish orders", producer, 0, 7.25), traceview.Link{
		TraceID: otherID, SpanID: spanID(9), TraceState: "a=b", Flags: 0x101,
		Attributes: every, DroppedAttributes: 1,
	})
	s.TraceState, s.Flags = "vendor=1", 0x301
	s.Status = traceview.Status{Code: codes.Error, Message: "no"}
	s.Attributes = every
	s.Events = []traceview.Event{{Time: epoch.Add(time.Nanosecond), Name: "exception", Attributes: every, DroppedAttributes: 2}}
	s.Resource = traceview.Resource{
		Attributes: append(traceview.Attributes{{Key: "service.name", Value: "order-api"}}, every...),
		SchemaURL:  "https://opentelemetry.io/schemas/1.43.0", DroppedAttributes: 3,
	}
	s.Scope = traceview.Scope{
		Name: "scope", Version: "1.2.3", Attributes: every,
		SchemaURL: "https://opentelemetry.io/schemas/1.42.0", DroppedAttributes: 4,
	}
	s.DroppedAttributes, s.DroppedEvents, s.DroppedLinks = 5, 6, math.MaxUint32

	return s
}

func encodeJSON(t *testing.T, spans ...traceview.Span) []byte {
	t.Helper()

	var b bytes.Buffer
	if err := traceview.EncodeJSON(&b, spans); err != nil {
		t.Fatal(err)
	}

	return b.Bytes()
}

func TestEncodeJSONIsReadBack(t *testing.T) {
	ok := spanAt(2, 0, "", "", 0, 0, 0)
	ok.Start, ok.End, ok.Status.Code = time.Time{}, time.Unix(0, math.MaxInt64).Add(time.Hour).UTC(), codes.Ok

	spans := append([]traceview.Span{everySpan(), ok}, orderTrace().Spans[2:]...)
	for i := range spans {
		if spans[i].Service != "" {
			spans[i].Resource.Attributes = append(traceview.Attributes{{Key: "service.name", Value: spans[i].Service}},
				spans[i].Resource.Attributes...)
		}
	}

	got, err := traceview.DecodeJSON(encodeJSON(t, spans...))
	if err != nil || got.Invalid != 0 || len(got.Spans) != len(spans) {
		t.Fatalf("%v, %d spans, %d invalid", err, len(got.Spans), got.Invalid)
	}

	for _, want := range spans {
		read, _ := (traceview.Trace{Spans: got.Spans}).Span(want.SpanID)
		if !reflect.DeepEqual(read, want) {
			t.Errorf("got\n%+v, want\n%+v", read, want)
		}
	}
}

// Other readers of OTLP/JSON know it by these: hexadecimal ids, enumerations as
// numbers, 64-bit integers as strings, a resource once.
func TestEncodeJSONIsOTLP(t *testing.T) {
	second := everySpan()
	second.SpanID = spanID(5)

	var got struct {
		ResourceSpans []struct {
			ScopeSpans []struct {
				Spans []map[string]any
			}
		}
	}
	if err := json.Unmarshal(encodeJSON(t, everySpan(), second), &got); err != nil {
		t.Fatal(err)
	}

	if len(got.ResourceSpans) != 1 || len(got.ResourceSpans[0].ScopeSpans) != 1 || len(got.ResourceSpans[0].ScopeSpans[0].Spans) != 2 {
		t.Fatalf("%+v", got)
	}

	span := got.ResourceSpans[0].ScopeSpans[0].Spans[0]
	for key, want := range map[string]any{
		"traceId": sampleID.String(), "spanId": spanID(1).String(), "parentSpanId": spanID(2).String(),
		"kind": 4.0, "startTimeUnixNano": "1772357400000000000", "droppedLinksCount": 4294967295.0,
	} {
		if span[key] != want {
			t.Errorf("%s: %v, want %v", key, span[key], want)
		}
	}

	if status, _ := span["status"].(map[string]any); status["code"] != 2.0 {
		t.Errorf("status: %v", span["status"])
	}

	if got := strings.TrimSpace(string(encodeJSON(t))); got != `{"resourceSpans":[]}` {
		t.Errorf("no spans: %s", got)
	}
}
