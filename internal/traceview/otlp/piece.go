package otlp

import (
	"fmt"

	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/mqtrace/mqtrace/internal/traceview/spans"
)

// A few bytes of payload can become a span of a few hundred bytes, so a limit on the
// payload alone does not bound the memory that reading takes. So a payload is read in
// pieces, and each is passed on before the next is read.
const (
	pieceSpans = 512
	pieceBytes = 1 << 20
	pieceParts = 1 << 15
	// maxSpanParts bounds a single span: its attributes, events and links, and what is in
	// them. 128 events with 128 attributes each are about half as many.
	maxSpanParts = 1 << 16
	maxDepth     = 64 // in messages; an array within an array adds two
)

// reader passes on what it reads in pieces.
type reader struct {
	yield   func(Decoded) error
	framing framing

	resource spans.Resource
	service  string
	scope    spans.Scope

	// The piece: spans in the payload's encoding, cleaned.
	buf     []byte
	leftOut []uint32 // by span
	parts   int
	// pending has not been passed on with a piece yet.
	pending Decoded
}

// framing makes a request, which pdata reads, out of the spans of a piece.
type framing interface {
	request(spans []byte) []byte
	read(request []byte) (ptrace.Traces, error)
}

// add adds a span to the piece. bytes is the piece with the span appended to it.
func (r *reader) add(bytes []byte, leftOut uint32, parts int) error {
	r.buf, r.leftOut = bytes, append(r.leftOut, leftOut)
	r.parts += parts

	if len(r.leftOut) >= pieceSpans || len(r.buf) >= pieceBytes || r.parts >= pieceParts {
		return r.flush()
	}

	return nil
}

// flush passes the piece on.
func (r *reader) flush() error {
	if len(r.leftOut) > 0 {
		traces, err := r.framing.read(r.framing.request(r.buf))
		if err != nil {
			// Cleaned input is valid. Should the Collector's reader refuse a value
			// regardless, the piece is lost, and that is reported.
			r.pending.Invalid += len(r.leftOut)
		} else {
			r.convert(traces)
		}
	}

	r.buf, r.leftOut, r.parts = r.buf[:0], r.leftOut[:0], 0

	if len(r.pending.Spans)+r.pending.Invalid == 0 {
		return nil
	}

	piece := r.pending
	r.pending = Decoded{}

	return r.yield(piece)
}

func (r *reader) convert(traces ptrace.Traces) {
	at := 0

	for _, rs := range traces.ResourceSpans().All() {
		for _, ss := range rs.ScopeSpans().All() {
			for _, s := range ss.Spans().All() {
				converted, ok := convertSpan(s)
				if !ok {
					r.pending.Invalid++
				} else {
					converted.Resource, converted.Service, converted.Scope = r.resource, r.service, r.scope
					if at < len(r.leftOut) {
						converted.LeftOut += r.leftOut[at]
					}

					r.pending.Spans = append(r.pending.Spans, converted)
				}

				at++
			}
		}
	}
}

// setResource reads the resource from a request that contains nothing else.
func (r *reader) setResource(request []byte, schemaURL string) {
	r.resource = spans.Resource{SchemaURL: schemaURL}

	if traces, err := r.framing.read(request); err == nil && traces.ResourceSpans().Len() > 0 {
		r.resource = convertResource(traces.ResourceSpans().At(0).Resource(), schemaURL)
	}

	r.service = r.resource.Attributes.Text("service.name")
}

func (r *reader) setScope(request []byte, schemaURL string) {
	r.scope = spans.Scope{SchemaURL: schemaURL}

	traces, err := r.framing.read(request)
	if err != nil || traces.ResourceSpans().Len() == 0 || traces.ResourceSpans().At(0).ScopeSpans().Len() == 0 {
		return
	}

	r.scope = convertScope(traces.ResourceSpans().At(0).ScopeSpans().At(0).Scope(), schemaURL)
}

// collect joins all pieces into one.
func collect(read func(func(Decoded) error) error) (Decoded, error) {
	var all Decoded

	err := read(func(piece Decoded) error {
		all.Spans = append(all.Spans, piece.Spans...)
		all.Invalid += piece.Invalid

		return nil
	})

	return all, err
}

func malformed(encoding string, err error) error {
	return fmt.Errorf("%w %s: %w", ErrMalformed, encoding, err)
}
