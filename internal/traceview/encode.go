package traceview

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strconv"
	"time"

	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
)

// EncodeJSON writes spans as a TracesData in OTLP's JSON encoding, which
// [DecodeJSON] and other readers of OTLP read back: ids in hexadecimal, 64-bit
// integers as strings, enumerations as numbers. Spans that share a resource and
// a scope stand together. The error is that of the writer.
func EncodeJSON(w io.Writer, spans []Span) error {
	if err := json.NewEncoder(w).Encode(newWireTraces(spans)); err != nil {
		return fmt.Errorf("traceview: write OTLP/JSON: %w", err)
	}

	return nil
}

func encodeSpan(s *Span) *wireSpan {
	out := &wireSpan{
		TraceID:           s.TraceID.String(),
		SpanID:            s.SpanID.String(),
		TraceState:        s.TraceState,
		Flags:             s.Flags,
		Name:              s.Name,
		Kind:              int(s.Kind),
		Start:             encodeTime(s.Start),
		End:               encodeTime(s.End),
		Attributes:        encodeAttributes(s.Attributes),
		DroppedAttributes: s.DroppedAttributes,
		DroppedEvents:     s.DroppedEvents,
		DroppedLinks:      s.DroppedLinks,
		Status:            encodeStatus(s.Status),
	}
	if s.ParentID.IsValid() {
		out.ParentSpanID = s.ParentID.String()
	}

	for i := range s.Events {
		e := &s.Events[i]
		out.Events = append(out.Events, wireEvent{
			Time: encodeTime(e.Time), Name: e.Name,
			Attributes: encodeAttributes(e.Attributes), DroppedAttributes: e.DroppedAttributes,
		})
	}

	for i := range s.Links {
		l := &s.Links[i]
		out.Links = append(out.Links, wireLink{
			TraceID: l.TraceID.String(), SpanID: l.SpanID.String(), TraceState: l.TraceState, Flags: l.Flags,
			Attributes: encodeAttributes(l.Attributes), DroppedAttributes: l.DroppedAttributes,
		})
	}

	return out
}

// encodeStatus undoes convertStatus.
func encodeStatus(s Status) *wireStatus {
	if s == (Status{}) {
		return nil
	}

	out := &wireStatus{Message: s.Message}

	switch s.Code {
	case codes.Ok:
		out.Code = int(tracepb.Status_STATUS_CODE_OK)
	case codes.Error:
		out.Code = int(tracepb.Status_STATUS_CODE_ERROR)
	case codes.Unset:
	}

	return out
}

// encodeTime writes nanoseconds since 1970, "" where there is no time.
func encodeTime(t time.Time) string {
	if t.IsZero() {
		return ""
	}

	return strconv.FormatUint(uint64(t.Unix())*uint64(time.Second)+uint64(t.Nanosecond()), 10)
}

func encodeAttributes(a Attributes) []wireKeyValue {
	var out []wireKeyValue
	for i := range a {
		out = append(out, wireKeyValue{Key: a[i].Key, Value: encodeValue(a[i].Value)})
	}

	return out
}

func encodeValue(v any) wireValue {
	switch v := v.(type) {
	case string:
		return wireValue{String: &v}
	case bool:
		return wireValue{Bool: &v}
	case int64:
		return wireValue{Int: strconv.FormatInt(v, 10)}
	case float64:
		return wireValue{Double: encodeDouble(v)}
	case []byte:
		return wireValue{Bytes: &v}
	case []any:
		list := &wireArray{}
		for i := range v {
			list.Values = append(list.Values, encodeValue(v[i]))
		}

		return wireValue{Array: list}
	case Attributes:
		return wireValue{List: &wireKeyValueList{Values: encodeAttributes(v)}}
	default:
		return wireValue{}
	}
}

// encodeDouble writes what JSON has no number for as protobuf's mapping does.
func encodeDouble(f float64) any {
	switch {
	case math.IsNaN(f):
		return "NaN"
	case math.IsInf(f, 1):
		return "Infinity"
	case math.IsInf(f, -1):
		return "-Infinity"
	default:
		return f
	}
}

// parseTraceID reads the 32 hexadecimal digits of a trace id, in either letter case.
func parseTraceID(text string) (id trace.TraceID, ok bool) {
	if len(text) != hex.EncodedLen(len(id)) {
		return id, false
	}

	_, err := hex.Decode(id[:], []byte(text))

	return id, err == nil && id.IsValid()
}

// parseSpanID reads the 16 hexadecimal digits of a span id, in either letter case.
func parseSpanID(text string) (id trace.SpanID, ok bool) {
	if len(text) != hex.EncodedLen(len(id)) {
		return id, false
	}

	_, err := hex.Decode(id[:], []byte(text))

	return id, err == nil && id.IsValid()
}
