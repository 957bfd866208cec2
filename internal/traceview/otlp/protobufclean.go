package otlp

import (
	"errors"

	"google.golang.org/protobuf/encoding/protowire"
)

// errOdd is returned for a value that does not belong where it is.
var errOdd = errors.New("odd")

// protobufCleaner copies messages without the values that do not belong in them. It counts
// these values, and the parts that decoding the rest will create.
type protobufCleaner struct {
	out     []byte
	parts   int
	leftOut uint32
}

// nested copies a message that is the value of a field. After an error, part of it may be
// in out.
func (c *protobufCleaner) nested(number protowire.Number, data []byte, m *message, depth int) error {
	if depth == 0 {
		return errOdd
	}

	if c.parts++; c.parts > maxSpanParts {
		return ErrTooLarge
	}

	c.out = protowire.AppendTag(c.out, number, protowire.BytesType)
	lengthAt, room := len(c.out), protowire.SizeVarint(uint64(len(data)))
	c.out = append(c.out, make([]byte, room)...)

	if err := c.fields(data, m, depth); err != nil {
		return err
	}

	putVarint(c.out[lengthAt:lengthAt+room], len(c.out)-lengthAt-room)

	return nil
}

// putVarint writes n into all of room, even if n needs fewer bytes.
func putVarint(room []byte, n int) {
	for i := range room {
		room[i] = byte(n)&0x7f | 0x80
		n >>= 7
	}

	room[len(room)-1] &^= 0x80
}

func (c *protobufCleaner) fields(data []byte, m *message, depth int) error {
	for len(data) > 0 {
		number, wireType, n := protowire.ConsumeTag(data)
		if n < 0 {
			return errOdd
		}

		size := protowire.ConsumeFieldValue(number, wireType, data[n:])
		if size < 0 {
			return errOdd
		}

		raw, value := data[:n+size], data[n:n+size]
		data = data[n+size:]

		f := m.byNumber(number)
		if f == nil { // from a later version of OTLP
			continue
		}

		if err := c.field(f, wireType, raw, value, depth); errors.Is(err, errOdd) {
			c.leftOut++
		} else if err != nil {
			return err
		}
	}

	return nil
}

func (c *protobufCleaner) field(f *field, wireType protowire.Type, raw, value []byte, depth int) error {
	if wireType != f.kind.wireType() {
		return errOdd
	}

	if f.kind == isMessage {
		before := len(c.out)
		inner, _ := protowire.ConsumeBytes(value)

		err := c.nested(f.number, inner, f.of, depth-1)
		if err != nil {
			c.out = c.out[:before]
		}

		return err
	}

	if f.kind == isTraceID || f.kind == isSpanID || f.kind == isParentID {
		id, _ := protowire.ConsumeBytes(value)
		if len(id) == 0 {
			return nil
		}

		if len(id) != f.kind.idLength() {
			return f.kind.badID()
		}
	}

	c.out = append(c.out, raw...)

	return nil
}

func (k kind) idLength() int {
	if k == isTraceID {
		return 16
	}

	return 8
}

// badID returns the error for an invalid id. A span or a link without a valid id is counted
// as such; a parent's id is a value of the span.
func (k kind) badID() error {
	if k == isParentID {
		return errOdd
	}

	return nil
}
