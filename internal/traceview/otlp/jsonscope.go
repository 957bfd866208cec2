package otlp

import "encoding/json"

// maxHeld bounds the bytes of spans that wait for their resource or scope.
const maxHeld = 8 << 20

// jsonHead is the resource or the scope of a list of spans, with the URL of its schema.
// Members of a JSON object may be in any order, and the URL usually comes after the spans.
type jsonHead struct {
	raw       []byte // the resource or scope, cleaned
	schemaURL string
	complete  bool
}

// member reads a member of an object around spans, and reports whether it was part of the
// head.
func (h *jsonHead) member(d *JSONDecoder, key string, m *message) (bool, error) {
	switch key {
	case "resource", "scope", "instrumentationLibrary", "instrumentation_library":
		raw, err := d.raw()
		if err != nil {
			return true, err
		}

		c := jsonCleaner{data: raw}
		if c.document(m) == nil {
			h.raw = c.out
		}

		return true, nil
	case "schemaUrl", "schema_url":
		raw, err := d.raw()
		if err == nil && json.Unmarshal(raw, &h.schemaURL) == nil {
			h.schemaURL, h.complete = validText(h.schemaURL), h.raw != nil
		}

		return true, err
	default:
		return false, nil
	}
}

// request returns a document with only the head.
func (h *jsonHead) request(before, after string) []byte {
	raw := h.raw
	if raw == nil {
		raw = []byte("{}")
	}

	return append(append([]byte(before), raw...), after...)
}

// heldScope holds the waiting spans of a scope.
type heldScope struct {
	head  jsonHead
	spans [][]byte
}

// resourceReader reads one element of resourceSpans, whose object has begun.
type resourceReader struct {
	*JSONDecoder

	head jsonHead
	held []*heldScope
	size int
	// direct: spans no longer have to wait.
	direct bool
	// scope is the current scope of the reader.
	scope *heldScope
}

func (d *JSONDecoder) resourceSpans() error {
	r := &resourceReader{JSONDecoder: d}

	err := d.Members(func(key string) error {
		if known, err := r.head.member(d, key, resource); known || err != nil {
			return err
		}

		switch key {
		case "scopeSpans", "scope_spans", "instrumentationLibrarySpans", "instrumentation_library_spans":
			return d.list(r.scopeSpans)
		default:
			return d.Skip()
		}
	})

	// If the document is cut off, its complete part is read.
	if released := r.release(); released != nil {
		return released
	}

	return err
}

func (r *resourceReader) scopeSpans() error {
	s := &heldScope{}
	r.held = append(r.held, s)

	return r.Members(func(key string) error {
		if known, err := s.head.member(r.JSONDecoder, key, scope); known || err != nil {
			return err
		}

		if key != "spans" {
			return r.Skip()
		}

		return r.spans(func(raw []byte) error { return r.add(s, raw) })
	})
}

// add reads a span, or holds it back.
func (r *resourceReader) add(s *heldScope, raw []byte) error {
	if r.direct || r.head.complete && s.head.complete {
		if err := r.release(); err != nil {
			return err
		}

		r.set(s)

		return r.reader.jsonSpan(raw)
	}

	s.spans = append(s.spans, raw)
	if r.size += len(raw); r.size < maxHeld {
		return nil
	}

	r.direct = true

	return r.release()
}

// set makes s the scope of the spans that are read next.
func (r *resourceReader) set(s *heldScope) {
	if r.scope != s {
		r.scope = s
		r.reader.setResource(r.head.request(`{"resourceSpans":[{"resource":`, `}]}`), r.head.schemaURL)
		r.reader.setScope(s.head.request(`{"resourceSpans":[{"scopeSpans":[{"scope":`, `}]}]}`), s.head.schemaURL)
	}
}

// release reads the spans held back.
func (r *resourceReader) release() error {
	for _, s := range r.held {
		if len(s.spans) == 0 {
			continue
		}

		if err := r.reader.flush(); err != nil {
			return err
		}

		r.set(s)

		for _, raw := range s.spans {
			if err := r.reader.jsonSpan(raw); err != nil {
				return err
			}
		}

		s.spans = nil
	}

	r.held, r.size = r.held[:0], 0

	return r.reader.flush()
}

// spans reads a list of spans one at a time.
func (d *JSONDecoder) spans(add func(raw []byte) error) error {
	return d.Elements(func(raw json.RawMessage) error {
		if d.count++; d.bounded && d.count > maxSpans {
			return ErrTooLarge
		}

		return add(raw)
	})
}

func (d *JSONDecoder) raw() (raw json.RawMessage, err error) {
	err = d.json.Decode(&raw)

	return raw, err
}

func (r *reader) jsonSpan(raw []byte) error {
	c := jsonCleaner{data: raw, out: r.buf}

	if err := c.document(span); err != nil {
		r.pending.Invalid++

		return nil //nolint:nilerr // The span is left out, and counted.
	}

	return r.add(append(c.out, ','), c.leftOut, c.parts)
}
