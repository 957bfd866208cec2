package tracefile

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/mqtrace/mqtrace/internal/traceview/otlp"
	"github.com/mqtrace/mqtrace/internal/traceview/spans"
)

// reader reads the documents of one input.
type reader struct {
	in      *input
	add     func([]spans.Span) error
	refused error // the error that add returned
	failed  error // the first error of the input
	result  Result
}

// verdict returns nil if something was read, or if the input is of a known format and
// empty.
func (r *reader) verdict(err error) error {
	if r.result.Spans > 0 {
		return nil
	}

	if r.failed != nil {
		err = r.failed
	}

	switch {
	case errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("traceview: malformed JSON: it ends in line %d, before the first complete span", r.in.line())
	case err != nil:
		return err
	case r.result.unknown > 0 && !r.result.known:
		return ErrUnknownFormat
	default:
		return nil
	}
}

// damage counts a place that is not JSON in a form that is known, and returns its error
// with the line.
func (r *reader) damage(err error) error {
	line := r.in.line()

	if r.result.Damaged++; r.result.Damaged == 1 {
		r.result.DamagedLine = line
	}

	if !errors.Is(err, otlp.ErrTooLarge) {
		if !errors.Is(err, otlp.ErrMalformed) {
			err = fmt.Errorf("%w JSON: %w", otlp.ErrMalformed, err)
		}

		err = fmt.Errorf("%w, in line %d", err, line)
	}

	if r.failed == nil {
		r.failed = err
	}

	return err
}

func (r *reader) take(piece otlp.Decoded) error {
	r.result.Spans += len(piece.Spans)
	r.result.Invalid += piece.Invalid

	if err := r.add(piece.Spans); err != nil {
		r.refused = err

		return errRefused
	}

	return nil
}

// documents reads up to the end of the input or the first error, which it leaves for the
// input to skip.
func (r *reader) documents() error {
	d := otlp.NewJSONDecoder(r.in, r.take)
	defer func() { r.in.back(d.Tokens().Buffered()) }()

	for {
		token, err := d.Tokens().Token()
		if errors.Is(err, io.EOF) {
			return nil
		}

		if err == nil {
			err = r.value(d, token)
		}

		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}

		if err != nil {
			return err
		}
	}
}

// value reads a document, or a list of documents, whose first token has been read.
func (r *reader) value(d *otlp.JSONDecoder, token json.Token) error {
	switch token {
	case json.Delim('{'):
		return r.object(d)
	case json.Delim('['):
		// An empty list is known, too.
		r.result.known = r.result.known || !d.Tokens().More()

		for d.Tokens().More() {
			token, err := d.Tokens().Token()
			if err != nil {
				return err
			}

			if err := r.value(d, token); err != nil {
				return err
			}
		}

		_, err := d.Tokens().Token()

		return err
	default:
		r.result.unknown++

		return nil
	}
}

// object reads a document whose members show which format it has.
func (r *reader) object(d *otlp.JSONDecoder) error {
	var (
		jaeger jaegerTrace
		known  bool
		others int

		status, message lenientText
	)

	err := d.Members(func(key string) error {
		switch key {
		case "resourceSpans", "resource_spans":
			known = true

			return d.ResourceSpans()
		case "batches": // from Tempo's first API, and Jaeger's senders
			known = true

			return d.Elements(func(raw json.RawMessage) error { return r.batch(raw) })
		case "trace", "result": // from Tempo's second API, and Jaeger's third
			known = true

			return r.inner(d)
		case "data":
			known = true

			return d.Elements(func(raw json.RawMessage) error { return r.jaeger(raw) })
		case "spans":
			return d.Tokens().Decode(&jaeger.Spans)
		case "processes":
			return d.Tokens().Decode(&jaeger.Processes)
		case "process":
			return d.Tokens().Decode(&jaeger.Process)
		case "resourceMetrics", "resourceLogs", "resourceProfiles", "resource_metrics", "resource_logs", "resource_profiles":
			known = true

			return d.Skip()
		case "status": // from Tempo's second API
			others++

			return d.Tokens().Decode(&status)
		case "message":
			others++

			return d.Tokens().Decode(&message)
		default:
			others++

			return d.Skip()
		}
	})

	if known && status == "PARTIAL" {
		r.result.Partial = cmp.Or(string(message), "no reason given")
	}

	if err == nil && jaeger.Spans != nil {
		known = true
		err = r.jaegerTrace(&jaeger)
	}

	if known || others == 0 {
		r.result.known = true
	} else if err == nil {
		r.result.unknown++
	}

	return err
}

func (r *reader) inner(d *otlp.JSONDecoder) error {
	token, err := d.Tokens().Token()
	if err != nil || token != json.Delim('{') && token != json.Delim('[') {
		return err
	}

	return r.value(d, token)
}

// batch reads one of Tempo's batches, which look like OTLP's resourceSpans, or one of
// Jaeger's, which has a process and its spans.
func (r *reader) batch(raw json.RawMessage) error {
	var jaeger jaegerTrace
	if json.Unmarshal(raw, &jaeger) == nil && jaeger.Spans != nil {
		return r.jaegerTrace(&jaeger)
	}

	document := bytes.Join([][]byte{[]byte(`{"resourceSpans":[`), raw, []byte(`]}`)}, nil)

	return otlp.EachJSON(document, r.take)
}
