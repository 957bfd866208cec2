// Package receiver receives traces over OTLP/HTTP.
package receiver

import (
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"

	"github.com/mqtrace/mqtrace/internal/traceview/otlp"
	"github.com/mqtrace/mqtrace/internal/traceview/store"
)

// TracesPath is where OTLP/HTTP clients send traces.
const TracesPath = "/v1/traces"

// New returns a handler for [TracesPath] that puts the traces it receives into the store.
//
// It accepts the protobuf and the JSON encoding, plain or compressed with gzip, and answers
// in the encoding of the request. Spans without valid ids, and those the store has no room
// for, are reported as a partial success; that is not an error. A request that cannot be
// read at all gets 400, one larger than the limits' RequestBytes 413; 503 means that too
// much is being received at the moment and the client should retry.
func New(s *store.Store) http.Handler {
	limit := s.Limits().RequestBytes

	return &receiver{
		store:  s,
		limit:  limit,
		bodies: newBudget(max(min(minBodyBudget, s.Limits().Bytes), 2*limit)),
		decode: make(chan struct{}, min(runtime.GOMAXPROCS(0), maxDecoders)),
	}
}

// Decoding takes several times the memory of the body, so only a few requests are decoded
// at once.
const (
	minBodyBudget = 64 << 20
	maxDecoders   = 4
)

type receiver struct {
	store  *store.Store
	limit  int
	bodies *budget
	decode chan struct{} // holds a token for each decoder at work
}

func (rc *receiver) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	enc, known := parseContentType(r.Header.Get("Content-Type"))

	switch {
	case r.Method != http.MethodPost:
		w.Header().Set("Allow", http.MethodPost)
		enc.writeError(w, http.StatusMethodNotAllowed, "send traces with POST")

		return
	case !known:
		w.Header().Set("Accept-Post", protobufType+", "+jsonType)
		enc.writeError(w, http.StatusUnsupportedMediaType,
			"Content-Type must be "+protobufType+" or "+jsonType)

		return
	}

	result, err := rc.receive(w, r, enc)
	if err != nil {
		status := statusOf(err)
		if status == http.StatusServiceUnavailable {
			w.Header().Set("Retry-After", "1")
		}

		if status == http.StatusUnsupportedMediaType {
			w.Header().Set("Accept-Encoding", "gzip")
		}

		enc.writeError(w, status, err.Error())

		return
	}

	enc.writeResult(w, result)
}

// receive reads, decodes and stores the request's spans.
func (rc *receiver) receive(w http.ResponseWriter, r *http.Request, enc encoding) (store.AddResult, error) {
	if r.ContentLength > int64(rc.limit) {
		return store.AddResult{}, errBodyTooLarge
	}

	src, err := decompress(http.MaxBytesReader(w, r.Body, int64(rc.limit)), r.Header.Values("Content-Encoding"))
	if err != nil {
		return store.AddResult{}, err
	}

	body, err := rc.bodies.readAll(src, rc.limit)
	defer rc.bodies.give(cap(body))

	if errors.Is(err, io.ErrUnexpectedEOF) {
		err = fmt.Errorf("the body is incomplete: %w", err)
	}

	if err != nil {
		return store.AddResult{}, err
	}

	select {
	case rc.decode <- struct{}{}:
		defer func() { <-rc.decode }()
	case <-r.Context().Done():
		return store.AddResult{}, errNoMemory
	}

	var result store.AddResult

	err = enc.each(body, func(piece otlp.Decoded) error {
		added := rc.store.Add(piece.Spans...)
		rc.store.CountInvalid(piece.Invalid)
		result.Stored += added.Stored
		result.Duplicate += added.Duplicate
		result.Dropped += added.Dropped
		result.Invalid += added.Invalid + piece.Invalid

		return nil
	})

	return result, err
}

var errContentEncoding = errors.New("Content-Encoding must be gzip or identity")

// decompress undoes the content encoding; it supports at most one.
func decompress(body io.Reader, headers []string) (io.Reader, error) {
	switch strings.ToLower(strings.TrimSpace(strings.Join(headers, ","))) {
	case "", "identity":
		return body, nil
	case "gzip", "x-gzip":
		r, err := gzip.NewReader(body)
		if err != nil {
			return nil, fmt.Errorf("Content-Encoding is gzip, but the body is not: %w", err)
		}

		return r, nil
	default:
		return nil, errContentEncoding
	}
}

func statusOf(err error) int {
	var tooLarge *http.MaxBytesError

	switch {
	case errors.As(err, &tooLarge), errors.Is(err, errBodyTooLarge), errors.Is(err, otlp.ErrTooLarge):
		return http.StatusRequestEntityTooLarge
	case errors.Is(err, errContentEncoding):
		return http.StatusUnsupportedMediaType
	case errors.Is(err, errNoMemory):
		return http.StatusServiceUnavailable
	default:
		return http.StatusBadRequest
	}
}
