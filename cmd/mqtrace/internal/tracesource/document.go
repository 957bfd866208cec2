// Package tracesource reads traces from files, from a running `mqtrace view`, and from
// Jaeger's query API, whichever of their formats they come in.
package tracesource

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"go.opentelemetry.io/otel/trace"

	"github.com/mqtrace/mqtrace/internal/traceview"
)

// MaxBytes is the largest input that is read.
const MaxBytes = 64 << 20

var (
	// ErrTooLarge is the error of an input over MaxBytes.
	ErrTooLarge = errors.New("larger than 64 MiB")
	// ErrUnknownFormat is the error of JSON that holds no traces.
	ErrUnknownFormat = errors.New("neither OTLP JSON nor Jaeger's")
)

// document is what tells the formats apart: OTLP's TracesData; that in "result", as
// Jaeger's API v3 answers; and Jaeger's own, of its older API and of its UI's downloads.
type document struct {
	ResourceSpans json.RawMessage `json:"resourceSpans"`
	Result        json.RawMessage `json:"result"`
	Data          json.RawMessage `json:"data"`
}

// Read reads documents in any of the formats, one behind the other, as the Collector's
// file exporter writes them. The traces come in the order of their first spans.
func Read(in io.Reader) ([]traceview.Trace, error) {
	text, err := io.ReadAll(io.LimitReader(in, MaxBytes+1))
	if err != nil {
		return nil, err
	}
	if len(text) > MaxBytes {
		return nil, ErrTooLarge
	}
	var spans []traceview.Span
	decoder := json.NewDecoder(bytes.NewReader(text))
	for {
		var raw json.RawMessage
		err := decoder.Decode(&raw)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("malformed JSON: %w", err)
		}
		more, err := decode(raw)
		if err != nil {
			return nil, err
		}
		spans = append(spans, more...)
	}
	return group(spans), nil
}

func decode(raw json.RawMessage) ([]traceview.Span, error) {
	var d document
	if err := json.Unmarshal(raw, &d); err != nil {
		return nil, ErrUnknownFormat
	}
	switch {
	case d.ResourceSpans != nil:
		decoded, err := traceview.DecodeJSON(raw)
		return decoded.Spans, err
	case d.Result != nil:
		decoded, err := traceview.DecodeJSON(d.Result)
		return decoded.Spans, err
	case d.Data != nil:
		return decodeJaeger(d.Data)
	case bytes.Equal(bytes.TrimSpace(raw), []byte("{}")):
		return nil, nil // TracesData without spans
	default:
		return nil, ErrUnknownFormat
	}
}

// group sorts spans into their traces.
func group(spans []traceview.Span) []traceview.Trace {
	var traces []traceview.Trace
	index := make(map[trace.TraceID]int)
	for i := range spans {
		id := spans[i].TraceID
		at, ok := index[id]
		if !ok {
			at = len(traces)
			index[id] = at
			traces = append(traces, traceview.Trace{ID: id})
		}
		traces[at].Spans = append(traces[at].Spans, spans[i])
	}
	return traces
}

// Select returns the one trace with the id.
func Select(traces []traceview.Trace, id trace.TraceID) (traceview.Trace, bool) {
	for _, tr := range traces {
		if tr.ID == id {
			return tr, true
		}
	}
	return traceview.Trace{}, false
}

// ParseID reads a trace id: 32 hexadecimal digits, or fewer, as Jaeger leaves out
// leading zeros.
func ParseID(text string) (trace.TraceID, error) {
	const digits = 32
	if len(text) == 0 || len(text) > digits {
		return trace.TraceID{}, errors.New("a trace id is 32 hexadecimal digits")
	}
	id, err := trace.TraceIDFromHex(pad(text, digits))
	if err != nil {
		return trace.TraceID{}, errors.New("a trace id is 32 hexadecimal digits, not all of them 0")
	}
	return id, nil
}
