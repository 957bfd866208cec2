package sample

import (
	"math"
	"time"

	"go.opentelemetry.io/otel/codes"

	"github.com/mqtrace/mqtrace/internal/traceview/spans"
)

// Every returns a span with every OTLP field set.
func Every() spans.Span {
	every := spans.Attributes{
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
		{Key: "map", Value: spans.Attributes{{Key: "spanId", Value: "not an id"}}},
		{Key: "null", Value: nil},
	}

	s := Linked(Span(1, 2, "order-api", "publish orders", Producer, 0, 7.25), spans.Link{
		TraceID: OtherID, SpanID: SpanID(9), TraceState: "a=b", Flags: 0x101,
		Attributes: every, DroppedAttributes: 1,
	})
	s.TraceState, s.Flags = "vendor=1", 0x301
	s.Status = spans.Status{Code: codes.Error, Message: "no"}
	s.Attributes = every
	s.Events = []spans.Event{{Time: Epoch.Add(time.Nanosecond), Name: "exception", Attributes: every, DroppedAttributes: 2}}
	s.Resource = spans.Resource{
		Attributes: append(spans.Attributes{{Key: "service.name", Value: "order-api"}}, every...),
		SchemaURL:  "https://opentelemetry.io/schemas/1.43.0", DroppedAttributes: 3,
	}
	s.Scope = spans.Scope{
		Name: "scope", Version: "1.2.3", Attributes: every,
		SchemaURL: "https://opentelemetry.io/schemas/1.42.0", DroppedAttributes: 4,
	}
	s.DroppedAttributes, s.DroppedEvents, s.DroppedLinks = 5, 6, math.MaxUint32

	return s
}
