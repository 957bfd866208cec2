// Package tracefile reads traces from files and from the answers of servers, in any of
// these formats: OTLP JSON, one document or several in succession, possibly with other
// signals in between; the output of Jaeger's query API and UI; the answers of Tempo's two
// APIs.
package tracefile

import (
	"errors"
	"io"

	"go.opentelemetry.io/otel/trace"

	"github.com/mqtrace/mqtrace/internal/traceview/spans"
)

// ErrUnknownFormat is returned for JSON that holds no traces.
var ErrUnknownFormat = errors.New("neither OTLP JSON nor Jaeger's or Tempo's")

// Read reads successive documents in any of the formats, and passes the spans in pieces to
// add, whose error it returns. Only what is broken is lost: Read goes on with the next
// line. It fails if nothing could be read at all.
func Read(src io.Reader, add func([]spans.Span) error) (Result, error) {
	text, err := utf8Reader(src)
	if err != nil {
		return Result{}, err
	}

	r := &reader{add: add, in: &input{src: newJSONReader(text)}}
	in := r.in

	for {
		first := r.result.Spans

		err := r.documents()

		switch {
		case err == nil:
			return r.result, r.verdict(nil)
		case errors.Is(err, errRefused) || in.err != nil:
			return r.result, errors.Join(in.err, r.refused)
		case errors.Is(err, io.ErrUnexpectedEOF):
			r.result.CutOff = true

			return r.result, r.verdict(err)
		}

		err = r.damage(err)

		if first < r.result.Spans {
			in.again, in.tries = 0, 0
		} else if r.result.Damaged > maxDamaged || in.again > maxAgain && in.tries > maxTries {
			return r.result, r.verdict(err)
		}

		if !in.skip() {
			return r.result, r.verdict(err)
		}
	}
}

// errCompressed is returned for files that the Collector or a person has compressed.
var errCompressed = errors.New("it is compressed: decompress it first")

// maxDamaged is how many lines may be broken before the file is considered not to hold
// traces. Lines may be long, and the same bytes may be read several times: maxAgain and
// maxTries bound that.
const (
	maxDamaged = 1000
	maxAgain   = 128 << 20
	maxTries   = 8
)

var errRefused = errors.New("refused")

// Traces reads all traces into memory, in the order of their first spans.
func Traces(src io.Reader) ([]spans.Trace, Result, error) {
	var traces spans.Traces

	result, err := Read(src, func(piece []spans.Span) error {
		for i := range piece {
			traces.Add(piece[i])
		}

		return nil
	})

	return traces.List(), result, err
}

// Select returns only the trace with the given id.
func Select(traces []spans.Trace, id trace.TraceID) (spans.Trace, bool) {
	for _, tr := range traces {
		if tr.ID == id {
			return tr, true
		}
	}

	return spans.Trace{}, false
}
