package otlp_test

import (
	"bytes"
	"encoding/json"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel/codes"

	"github.com/mqtrace/mqtrace/internal/traceview/otlp"
	"github.com/mqtrace/mqtrace/internal/traceview/sample"
	"github.com/mqtrace/mqtrace/internal/traceview/spans"
)

func encodeJSON(t *testing.T, spans ...spans.Span) []byte {
	t.Helper()

	var b bytes.Buffer
	if err := otlp.EncodeJSON(&b, spans); err != nil {
		t.Fatal(err)
	}

	return b.Bytes()
}

func TestEncodeJSONIsReadBack(t *testing.T) {
	ok := sample.Span(2, 0, "", "", 0, 0, 0)
	ok.Start, ok.End, ok.Status.Code = time.Time{}, time.Unix(0, math.MaxInt64).Add(time.Hour).UTC(), codes.Ok

	written := append([]spans.Span{sample.Every(), ok}, sample.Order().Spans[2:]...)
	for i := range written {
		if written[i].Service != "" {
			written[i].Resource.Attributes = append(spans.Attributes{{Key: "service.name", Value: written[i].Service}},
				written[i].Resource.Attributes...)
		}
	}

	got, err := otlp.DecodeJSON(encodeJSON(t, written...))
	if err != nil || got.Invalid != 0 || len(got.Spans) != len(written) {
		t.Fatalf("%v, %d spans, %d invalid", err, len(got.Spans), got.Invalid)
	}

	for _, want := range written {
		read, _ := (spans.Trace{Spans: got.Spans}).Span(want.SpanID)
		if !reflect.DeepEqual(read, want) {
			t.Errorf("got\n%+v, want\n%+v", read, want)
		}
	}
}

// What other readers of OTLP/JSON rely on: hexadecimal ids, enumerations as numbers, 64-bit
// integers as strings, a resource once.
func TestEncodeJSONIsOTLP(t *testing.T) {
	second := sample.Every()
	second.SpanID = sample.SpanID(5)

	var got struct {
		ResourceSpans []struct {
			ScopeSpans []struct {
				Spans []map[string]any
			}
		}
	}
	if err := json.Unmarshal(encodeJSON(t, sample.Every(), second), &got); err != nil {
		t.Fatal(err)
	}

	if len(got.ResourceSpans) != 1 || len(got.ResourceSpans[0].ScopeSpans) != 1 || len(got.ResourceSpans[0].ScopeSpans[0].Spans) != 2 {
		t.Fatalf("%+v", got)
	}

	span := got.ResourceSpans[0].ScopeSpans[0].Spans[0]
	for key, want := range map[string]any{
		"traceId": sample.ID.String(), "spanId": sample.SpanID(1).String(), "parentSpanId": sample.SpanID(2).String(),
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
