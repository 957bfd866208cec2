package otlp

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"time"

	"go.opentelemetry.io/otel/codes"

	"github.com/mqtrace/mqtrace/internal/traceview/spans"
)

// EncodeJSON writes spans as a TracesData in OTLP's JSON encoding, which [DecodeJSON] and
// other readers of OTLP read back: ids in hexadecimal, 64-bit integers as strings,
// enumerations as numbers. Spans that share a resource and a scope are grouped. It writes
// one span at a time, so that a large trace takes no more memory than a small one. It
// returns the error of the writer.
func EncodeJSON(w io.Writer, all []spans.Span) error {
	const bufferSize = 64 << 10

	buffer := bufio.NewWriterSize(w, bufferSize)
	out := &jsonWriter{w: buffer}
	out.resources(groupByResource(all))

	if err := errors.Join(out.err, buffer.Flush()); err != nil {
		return fmt.Errorf("traceview: write OTLP/JSON: %w", err)
	}

	return nil
}

// jsonWriter remembers its first error.
type jsonWriter struct {
	w   *bufio.Writer
	err error
}

func (w *jsonWriter) text(text string) {
	if w.err == nil {
		_, w.err = w.w.WriteString(text)
	}
}

func (w *jsonWriter) value(v any) {
	if w.err != nil {
		return
	}

	var b []byte

	b, w.err = json.Marshal(v)
	w.text(string(b))
}

// resources writes the schema's URL before the spans, so that a reader knows what a span
// belongs to when it reaches it.
func (w *jsonWriter) resources(groups []*resourceGroup) {
	w.text(`{"resourceSpans":[`)

	for i, r := range groups {
		if i > 0 {
			w.text(",")
		}

		w.text(`{"resource":`)
		w.value(wireResource{encodeAttributes(r.resource.Attributes), r.resource.DroppedAttributes})
		w.schema(r.resource.SchemaURL)
		w.text(`,"scopeSpans":[`)

		for i, s := range r.scopes {
			if i > 0 {
				w.text(",")
			}

			w.scope(s)
		}

		w.text("]}")
	}

	w.text("]}\n")
}

func (w *jsonWriter) scope(s *scopeGroup) {
	w.text(`{"scope":`)
	w.value(wireScope{s.scope.Name, s.scope.Version, encodeAttributes(s.scope.Attributes), s.scope.DroppedAttributes})
	w.schema(s.scope.SchemaURL)
	w.text(`,"spans":[`)

	for i, span := range s.spans {
		if i > 0 {
			w.text(",")
		}

		w.value(encodeSpan(span))
	}

	w.text("]}")
}

func (w *jsonWriter) schema(url string) {
	if url == "" {
		return
	}

	w.text(`,"schemaUrl":`)
	w.value(url)
}

func encodeSpan(s *spans.Span) *wireSpan {
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

// encodeStatus is the inverse of convertStatus.
func encodeStatus(s spans.Status) *wireStatus {
	if s == (spans.Status{}) {
		return nil
	}

	out := &wireStatus{Message: s.Message}

	switch s.Code {
	case codes.Ok:
		out.Code = 1
	case codes.Error:
		out.Code = 2
	case codes.Unset:
	}

	return out
}

// encodeTime writes nanoseconds since 1970, "" if there is no time.
func encodeTime(t time.Time) string {
	if t.IsZero() {
		return ""
	}

	return strconv.FormatUint(uint64(t.Unix())*uint64(time.Second)+uint64(t.Nanosecond()), 10)
}

func encodeAttributes(a spans.Attributes) []wireKeyValue {
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
	case spans.Attributes:
		return wireValue{List: &wireKeyValueList{Values: encodeAttributes(v)}}
	default:
		return wireValue{}
	}
}

// encodeDouble writes values that JSON numbers cannot represent as protobuf's mapping does.
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
