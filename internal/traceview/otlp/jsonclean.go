package otlp

import (
	"bytes"
	"encoding/json"
	"unicode/utf8"
)

// jsonCleaner copies a valid JSON value into a form that the Collector's reader accepts as
// a whole: only known members, each of its kind. It counts the values that it leaves out
// and the parts that decoding the rest will create.
type jsonCleaner struct {
	data    []byte
	at      int
	out     []byte
	parts   int
	leftOut uint32
}

// document copies all of the data, which has to be an object.
func (c *jsonCleaner) document(m *message) error {
	c.space()

	if c.data[c.at] != '{' {
		return errOdd
	}

	return c.message(m, maxDepth)
}

func (c *jsonCleaner) space() {
	for c.at < len(c.data) && (c.data[c.at] == ' ' || c.data[c.at] == '\n' || c.data[c.at] == '\t' || c.data[c.at] == '\r') {
		c.at++
	}
}

// next returns the next value unchanged and moves past it.
func (c *jsonCleaner) next() []byte {
	c.space()

	start, depth := c.at, 0

	for c.at < len(c.data) {
		switch c.data[c.at] {
		case '"':
			c.at = stringEnd(c.data, c.at)
		case '{', '[':
			depth++
			c.at++
		case '}', ']':
			if depth == 0 {
				return bytes.TrimRight(c.data[start:c.at], " \t\r\n")
			}

			depth--
			c.at++
		case ',':
			if depth == 0 {
				return bytes.TrimRight(c.data[start:c.at], " \t\r\n")
			}

			c.at++
		default:
			c.at++

			continue
		}

		if depth == 0 {
			break
		}
	}

	return c.data[start:c.at]
}

// stringEnd returns the index after the closing quote of the string that starts at i.
func stringEnd(data []byte, i int) int {
	for i++; i < len(data); i++ {
		switch data[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}

	return len(data)
}

// message copies the object that begins here.
func (c *jsonCleaner) message(m *message, depth int) error {
	if depth == 0 {
		return errOdd
	}

	if c.parts++; c.parts > maxSpanParts {
		return ErrTooLarge
	}

	c.at++
	c.out = append(c.out, '{')
	first := true

	for c.space(); c.data[c.at] != '}'; c.space() {
		if c.data[c.at] == ',' {
			c.at++

			continue
		}

		f := m.byName(unquote(c.next()))

		c.space()
		c.at++ // the colon
		c.space()

		if f == nil {
			c.next()

			continue
		}

		before := len(c.out)
		if !first {
			c.out = append(c.out, ',')
		}

		written, err := c.member(f, m, depth)
		if err != nil {
			return err
		}

		if written {
			first = false
		} else {
			c.out = c.out[:before]
		}
	}

	c.at++
	c.out = append(c.out, '}')

	return nil
}

// member copies the value of a member, and reports whether anything of it was copied.
func (c *jsonCleaner) member(f *field, m *message, depth int) (bool, error) {
	if bytes.HasPrefix(c.data[c.at:], []byte("null")) {
		c.next()

		return false, nil
	}

	c.name(f.name)

	switch {
	case f.list:
		return c.list(f.of, depth)
	case f.kind == isMessage:
		return c.object(f.of, depth)
	}

	raw := c.next()

	if out, ok := f.kind.clean(c.out, raw); ok {
		c.out = out

		return true, nil
	}

	if m != anyValue {
		c.leftOut++

		return false, nil
	}

	// A value of another kind than its name says, or out of its range, is kept as written.
	c.out = c.out[:bytes.LastIndexByte(c.out, '"')]
	c.out = c.out[:bytes.LastIndexByte(c.out, '"')]
	c.name("stringValue")
	c.out = appendText(c.out, asText(raw))

	return true, nil
}

func (c *jsonCleaner) name(name string) {
	c.out = append(append(append(c.out, '"'), name...), `":`...)
}

// object copies the object that should begin here, and leaves out anything else.
func (c *jsonCleaner) object(of *message, depth int) (bool, error) {
	start := c.at

	if c.data[c.at] != '{' {
		raw := c.next()
		if of != anyValue || raw[0] == '[' {
			c.leftOut++

			return false, nil
		}

		c.out = appendPlain(c.out, raw)

		return true, nil
	}

	err := c.message(of, depth-1)
	if err == errOdd { //nolint:errorlint // It is never wrapped.
		c.at = start
		c.next()

		c.leftOut++

		return false, nil
	}

	return true, err
}

// list copies the list that should begin here, except elements that do not belong in it.
func (c *jsonCleaner) list(of *message, depth int) (bool, error) {
	if c.data[c.at] != '[' {
		c.next()

		c.leftOut++

		return false, nil
	}

	c.at++
	c.out = append(c.out, '[')
	first := true

	for c.space(); c.data[c.at] != ']'; c.space() {
		if c.data[c.at] == ',' {
			c.at++

			continue
		}

		before := len(c.out)
		if !first {
			c.out = append(c.out, ',')
		}

		written, err := c.object(of, depth)
		if err != nil {
			return false, err
		}

		if written {
			first = false
		} else {
			c.out = c.out[:before]
		}
	}

	c.at++
	c.out = append(c.out, ']')

	return true, nil
}

// unquote returns the text of a JSON string, with U+FFFD in place of invalid UTF-8.
func unquote(quoted []byte) string {
	if len(quoted) < 2 || quoted[0] != '"' {
		return ""
	}

	inner := quoted[1 : len(quoted)-1]
	if bytes.IndexByte(inner, '\\') < 0 && utf8.Valid(inner) {
		return string(inner)
	}

	var text string
	_ = json.Unmarshal(quoted, &text)

	return text
}

// asText returns a value as a person would write it.
func asText(raw []byte) string {
	if raw[0] == '"' {
		return unquote(raw)
	}

	return string(raw)
}

func appendText(out []byte, text string) []byte {
	quoted, _ := json.Marshal(text) //nolint:errchkjson // A string is always text.

	return append(out, quoted...)
}
