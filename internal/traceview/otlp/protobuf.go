package otlp

import (
	"go.opentelemetry.io/collector/pdata/ptrace"
	"google.golang.org/protobuf/encoding/protowire"
)

// The fields of the three messages around spans: what describes each, its parts, and the
// URL of its schema.
const (
	headField   = 1
	listField   = 2
	schemaField = 3
	// libraryField was the field of a library's spans in OTLP 0.15 to 0.17. Before that,
	// they had the same number and form as the spans of a scope now.
	libraryField = 1000
)

// EachProtobuf reads a payload in pieces and passes each to yield, whose error it returns.
// Unless everything around the spans is well-formed, no span is read.
func EachProtobuf(data []byte, yield func(Decoded) error) error {
	if err := checkFraming(data); err != nil {
		return err
	}

	r := &reader{yield: yield, framing: protobufFraming{}}

	return eachField(data, headField, func(rs []byte) error {
		r.setResource(wrap(headField, head(rs, resource)), schemaOf(rs))

		scopes := func(ss []byte) error {
			r.setScope(wrap(headField, wrap(listField, head(ss, scope))), schemaOf(ss))

			if err := eachField(ss, listField, r.protobufSpan); err != nil {
				return err
			}

			return r.flush()
		}
		if err := eachField(rs, listField, scopes); err != nil {
			return err
		}

		return eachField(rs, libraryField, scopes)
	})
}

func (r *reader) protobufSpan(raw []byte) error {
	c := protobufCleaner{out: r.buf}
	if err := c.nested(listField, raw, span, maxDepth); err != nil {
		r.pending.Invalid++

		return nil //nolint:nilerr // The span is left out, and counted.
	}

	return r.add(c.out, c.leftOut, c.parts)
}

// checkFraming checks everything around the spans.
func checkFraming(data []byte) error {
	count := 0
	each := func(data []byte, list protowire.Number, next func([]byte) error) error {
		err := eachField(data, list, next)
		if list == listField && err == nil {
			err = eachField(data, libraryField, next)
		}

		return err
	}

	return each(data, headField, func(rs []byte) error {
		return each(rs, listField, func(ss []byte) error {
			return eachField(ss, listField, func([]byte) error {
				if count++; count > maxSpans {
					return ErrTooLarge
				}

				return nil
			})
		})
	})
}

// eachField calls next with each value of a field that holds messages or texts.
func eachField(data []byte, wanted protowire.Number, next func([]byte) error) error {
	for len(data) > 0 {
		number, wireType, n := protowire.ConsumeTag(data)
		if n < 0 {
			return malformed("protobuf", protowire.ParseError(n))
		}

		size := protowire.ConsumeFieldValue(number, wireType, data[n:])
		if size < 0 {
			return malformed("protobuf", protowire.ParseError(size))
		}

		if number == wanted && wireType == protowire.BytesType {
			value, _ := protowire.ConsumeBytes(data[n:])
			if err := next(value); err != nil {
				return err
			}
		}

		data = data[n+size:]
	}

	return nil
}

// head returns the resource or the scope of a message around spans, cleaned. It is left out
// if it has too many parts or is not a message.
func head(data []byte, m *message) []byte {
	c := protobufCleaner{}
	_ = eachField(data, headField, func(value []byte) error {
		before := len(c.out)
		if c.nested(headField, value, m, maxDepth) != nil {
			c.out = c.out[:before]
		}

		return nil
	})

	return c.out
}

func schemaOf(data []byte) (url string) {
	_ = eachField(data, schemaField, func(value []byte) error {
		url = validText(string(value))

		return nil
	})

	return url
}

// protobufFraming is the framing of the binary encoding.
type protobufFraming struct{}

func (protobufFraming) request(scopeSpans []byte) []byte {
	return wrap(headField, wrap(listField, scopeSpans))
}

func (protobufFraming) read(request []byte) (ptrace.Traces, error) {
	return (&ptrace.ProtoUnmarshaler{}).UnmarshalTraces(request)
}

func wrap(number protowire.Number, data []byte) []byte {
	out := protowire.AppendTag(make([]byte, 0, len(data)+2*protowire.SizeVarint(uint64(len(data)))), number, protowire.BytesType)

	return protowire.AppendBytes(out, data)
}
