// Package otlp reads and writes OTLP's traces, in protobuf and in JSON.
//
// The Collector's own reader, pdata, does the decoding. The code around it bounds the
// memory that a payload can cost, and leaves out and counts the values for which pdata
// would refuse a whole request.
package otlp

import (
	"errors"

	"github.com/mqtrace/mqtrace/internal/traceview/spans"
)

// ErrTooLarge is wrapped by the error for a payload with more spans than any legitimate
// request has.
var ErrTooLarge = errors.New("traceview: payload has too many parts")

// ErrMalformed is wrapped by the error for a payload that is not of its encoding.
var ErrMalformed = errors.New("traceview: malformed")

// maxSpans is how many spans a request of 20 MiB could hold if they had nothing but ids.
const maxSpans = 1 << 20

// Decoded is the content of an OTLP trace payload, or of a piece of it.
type Decoded struct {
	Spans []spans.Span
	// Invalid counts the spans left out because their trace or span id is all zeros or of
	// the wrong length, or because they have too many parts.
	Invalid int
}

// DecodeProtobuf reads an ExportTraceServiceRequest, or a TracesData, which has
// the same form, in the binary encoding.
func DecodeProtobuf(data []byte) (Decoded, error) {
	return collect(func(yield func(Decoded) error) error { return EachProtobuf(data, yield) })
}

// DecodeJSON reads the same in the JSON encoding. It accepts what a lenient reader should:
// unknown fields, 64-bit integers as numbers or as strings, and ids in hexadecimal or, as
// in protobuf's own mapping, in base64.
func DecodeJSON(data []byte) (Decoded, error) {
	return collect(func(yield func(Decoded) error) error { return EachJSON(data, yield) })
}
