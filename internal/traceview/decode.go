package traceview

import (
	"errors"
	"fmt"

	collectorpb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

// ErrTooLarge is in the error of a payload that would take too much memory:
// more spans, attributes and other parts than a request has any use for.
var ErrTooLarge = errors.New("traceview: payload has too many parts")

// Decoded is the content of an OTLP trace payload.
type Decoded struct {
	Spans []Span
	// Invalid counts the spans left out because their trace id, span id or
	// parent span id is all zeros or of the wrong length.
	Invalid int
}

// DecodeProtobuf reads an ExportTraceServiceRequest, or a TracesData, which has
// the same form, in the binary encoding.
func DecodeProtobuf(data []byte) (Decoded, error) {
	var req collectorpb.ExportTraceServiceRequest

	if err := checkProtobuf(data, req.ProtoReflect().Descriptor()); err != nil {
		return Decoded{}, err
	}

	opts := proto.UnmarshalOptions{DiscardUnknown: true, RecursionLimit: maxDepth}
	if err := opts.Unmarshal(data, &req); err != nil {
		return Decoded{}, fmt.Errorf("traceview: malformed protobuf: %w", err)
	}

	return convert(req.GetResourceSpans()), nil
}

// DecodeJSON reads the same in the JSON encoding, where trace and span ids are
// hexadecimal, in either letter case. It accepts what a lenient reader should:
// unknown fields, and 64-bit integers as numbers or as strings.
func DecodeJSON(data []byte) (Decoded, error) {
	data, err := prepareJSON(data)
	if err != nil {
		return Decoded{}, err
	}

	var req collectorpb.ExportTraceServiceRequest

	opts := protojson.UnmarshalOptions{DiscardUnknown: true, RecursionLimit: maxDepth}
	if err := opts.Unmarshal(data, &req); err != nil {
		return Decoded{}, fmt.Errorf("traceview: malformed JSON: %w", err)
	}

	return convert(req.GetResourceSpans()), nil
}
