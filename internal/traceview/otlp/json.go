package otlp

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"

	"go.opentelemetry.io/collector/pdata/ptrace"
)

const maxObjects = 1 << 21

// EachJSON reads a document of OTLP JSON in pieces and passes each to yield, whose error it
// returns. A document that is not valid JSON to its end is not read at all.
func EachJSON(data []byte, yield func(Decoded) error) error {
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf")) // which .NET's encoders may write

	if !json.Valid(data) {
		var raw json.RawMessage

		err := json.Unmarshal(data, &raw)
		if err == nil {
			err = errors.New("it is not valid")
		}

		return malformed("JSON", err)
	}

	// Each span, attribute and value is an object. No meaningful request has so many of
	// them.
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

// JSONDecoder reads OTLP JSON as a stream and passes it on in pieces, so that the document
// need be neither in memory nor complete.
type JSONDecoder struct {
	json   *json.Decoder
	reader reader

	// bounded limits the number of spans: a request with very many is not legitimate.
	bounded bool
	count   int
}

// NewJSONDecoder returns a decoder that passes what it reads from src to yield.
func NewJSONDecoder(src io.Reader, yield func(Decoded) error) *JSONDecoder {
	return &JSONDecoder{json: json.NewDecoder(src), reader: reader{yield: yield, framing: jsonFraming{}}}
}

// Tokens returns the decoder of the document's tokens. It must not be used to read within a
// list of spans.
func (d *JSONDecoder) Tokens() *json.Decoder { return d.json }

// document reads the members and the end of an object that has begun. An object with only
// other members is an error: its sender would take an empty answer for success.
func (d *JSONDecoder) document() error {
	var traces, others bool

	err := d.Members(func(key string) error {
		if key == "resourceSpans" || key == "resource_spans" {
			traces = true

			return d.ResourceSpans()
		}

		others = true

		return d.Skip()
	})
	if err == nil && others && !traces {
		err = malformed("JSON", errors.New("it has no resourceSpans"))
	}

	return err
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

// Skip skips the next value.
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

// list calls next at each object of a list. It skips anything that is not a list, or not an
// object in one.
func (d *JSONDecoder) list(next func() error) error {
	token, err := d.json.Token()
	if err != nil || token != json.Delim('[') {
		return d.rest(token, err)
	}

	return d.elements(next)
}

// elements is like list for a list that has begun.
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

// rest skips the rest of a value whose first token has been read.
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

// ResourceSpans reads the list that follows a key, usually resourceSpans.
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

// Elements passes each element of the list that comes next to yield. If the next value is
// not a list, it is skipped.
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

// jsonFraming is the framing of JSON.
type jsonFraming struct{}

func (jsonFraming) request(list []byte) []byte {
	out := append([]byte(`{"resourceSpans":[{"scopeSpans":[{"spans":[`), bytes.TrimSuffix(list, []byte(","))...)

	return append(out, "]}]}]}"...)
}

func (jsonFraming) read(request []byte) (ptrace.Traces, error) {
	return (&ptrace.JSONUnmarshaler{}).UnmarshalTraces(request)
}
