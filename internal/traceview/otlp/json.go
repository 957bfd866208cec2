package otlp

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"

	"go.opentelemetry.io/collector/pdata/ptrace"
)

const maxObjects = 1 << 21

// EachJSON reads a document of OTLP JSON in pieces and hands each to yield, whose error
// it returns. A document that is not JSON to its end is not read at all.
func EachJSON(data []byte, yield func(Decoded) error) error {
	if !json.Valid(data) {
		var raw json.RawMessage

		err := json.Unmarshal(data, &raw)
		if err == nil {
			err = errors.New("it is not valid")
		}

		return malformed("JSON", err)
	}

	// Each span is an object, as is each attribute and its value. So many of them do not
	// fit into a request in which they have anything to say.
	if bytes.Count(data, []byte("{")) > maxObjects {
		return ErrTooLarge
	}

	decoder := NewJSONDecoder(bytes.NewReader(data), yield)
	decoder.bounded = true

	if token, err := decoder.json.Token(); err != nil || token != json.Delim('{') {
		return malformed("JSON", errors.New("it is not an object"))
	}

	return decoder.document()
}

// JSONDecoder reads OTLP JSON as it comes, so that the document need not be in memory,
// nor be complete: what is read is handed on in pieces.
type JSONDecoder struct {
	json   *json.Decoder
	reader reader

	// bounded: the document is a request, which has no use for very many spans.
	bounded bool
	count   int
}

// NewJSONDecoder returns a decoder that hands what it reads of src to yield.
func NewJSONDecoder(src io.Reader, yield func(Decoded) error) *JSONDecoder {
	return &JSONDecoder{json: json.NewDecoder(src), reader: reader{yield: yield, framing: jsonFraming{}}}
}

// Tokens are those of the document. What is read by them must not be within a list of
// spans.
func (d *JSONDecoder) Tokens() *json.Decoder { return d.json }

// document reads the members of an object that has begun, and its end.
func (d *JSONDecoder) document() error {
	return d.Members(func(key string) error {
		if key == "resourceSpans" || key == "resource_spans" {
			return d.ResourceSpans()
		}

		return d.Skip()
	})
}

// Members calls next with each key of an object that has begun.
func (d *JSONDecoder) Members(next func(key string) error) error {
	for d.json.More() {
		token, err := d.json.Token()
		if err != nil {
			return err
		}

		key, _ := token.(string)
		if err := next(key); err != nil {
			return err
		}
	}

	_, err := d.json.Token()

	return err
}

// Skip passes over the next value.
func (d *JSONDecoder) Skip() error {
	depth := 0

	for {
		token, err := d.json.Token()
		if err != nil {
			return err
		}

		switch token {
		case json.Delim('{'), json.Delim('['):
			depth++
		case json.Delim('}'), json.Delim(']'):
			depth--
		}

		if depth == 0 {
			return nil
		}
	}
}

// list calls next at each object of a list. What is no list, or no object in it, is
// passed over.
func (d *JSONDecoder) list(next func() error) error {
	token, err := d.json.Token()
	if err != nil || token != json.Delim('[') {
		return d.rest(token, err)
	}

	return d.elements(next)
}

// elements is list for one that has begun.
func (d *JSONDecoder) elements(next func() error) error {
	for d.json.More() {
		token, err := d.json.Token()
		if err != nil {
			return err
		}

		if token == json.Delim('{') {
			err = next()
		} else {
			err = d.rest(token, nil)
		}

		if err != nil {
			return err
		}
	}

	_, err := d.json.Token()

	return err
}

// rest passes over what is left of a value whose first token has been read.
func (d *JSONDecoder) rest(token json.Token, err error) error {
	if err != nil || token != json.Delim('{') && token != json.Delim('[') {
		return err
	}

	for d.json.More() {
		if token == json.Delim('{') {
			if _, err := d.json.Token(); err != nil {
				return err
			}
		}

		if err := d.Skip(); err != nil {
			return err
		}
	}

	_, err = d.json.Token()

	return err
}

// ResourceSpans reads the list that a key has announced, resourceSpans as a rule.
func (d *JSONDecoder) ResourceSpans() error {
	token, err := d.json.Token()
	if err == nil && token != json.Delim('[') && token != nil {
		err = malformed("JSON", errors.New("resourceSpans is not a list"))
	}

	if err != nil || token == nil {
		return err
	}

	return d.elements(d.resourceSpans)
}

// Elements hands the elements of the list that comes next to yield, each by itself.
// Where no list comes, the value is passed over.
func (d *JSONDecoder) Elements(yield func(json.RawMessage) error) error {
	token, err := d.json.Token()
	if err != nil || token != json.Delim('[') {
		return d.rest(token, err)
	}

	for d.json.More() {
		raw, err := d.raw()
		if err != nil {
			return err
		}

		if err := yield(raw); err != nil {
			return err
		}
	}

	_, err = d.json.Token()

	return err
}

// jsonFraming is that of JSON.
type jsonFraming struct{}

func (jsonFraming) request(list []byte) []byte {
	out := append([]byte(`{"resourceSpans":[{"scopeSpans":[{"spans":[`), bytes.TrimSuffix(list, []byte(","))...)

	return append(out, "]}]}]}"...)
}

func (jsonFraming) read(request []byte) (ptrace.Traces, error) {
	return (&ptrace.JSONUnmarshaler{}).UnmarshalTraces(request)
}
