// Package otlp reads and writes OTLP's traces, in protobuf and in JSON.
//
// The Collector's own reader, pdata, reads them. What is around it here bounds what a
// payload can make it take, and finds the values that it would refuse a whole request
// for: those cost themselves, and are counted.
package otlp

import (
	"errors"

	"github.com/mqtrace/mqtrace/internal/traceview/spans"
)

// ErrTooLarge is in the error of a payload with more spans than a request has any use
// for.
var ErrTooLarge = errors.New("traceview: payload has too many parts")

// maxSpans is what a request of 20 MiB could hold if its spans had nothing but ids.
const maxSpans = 1 << 20

// Decoded is the content of an OTLP trace payload, or of a piece of it.
type Decoded struct {
	Spans []spans.Span
	// Invalid counts the spans left out because their trace or span id is all zeros or
	// of the wrong length, or because they are of too many parts.
	Invalid int
}

// DecodeProtobuf reads an ExportTraceServiceRequest, or a TracesData, which has
// the same form, in the binary encoding.
func DecodeProtobuf(data []byte) (Decoded, error) {
	return collect(func(yield func(Decoded) error) error { return EachProtobuf(data, yield) })
}

// DecodeJSON reads the same in the JSON encoding. It accepts what a lenient reader
// should: unknown fields, 64-bit integers as numbers or as strings, ids in hexadecimal
// or, as protobuf's own mapping has them, in base64.
func DecodeJSON(data []byte) (Decoded, error) {
	return collect(func(yield func(Decoded) error) error { return EachJSON(data, yield) })
}
