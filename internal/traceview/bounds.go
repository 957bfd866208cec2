package traceview

import (
	"errors"
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// A few bytes of payload can stand for a span of a few hundred bytes, so that a
// limit on the payload alone does not bound the memory that decoding takes.
// These do. A request of eight thousand spans with twenty attributes each has
// about 350,000 parts; attributes nested more than a few levels deep have no use.
const (
	maxParts = 1 << 19
	maxDepth = 64 // in messages; an array within an array adds two
)

var errTooDeep = errors.New("traceview: payload is nested too deeply")

// checkProtobuf walks a message that is not decoded yet, and counts what it
// would become.
func checkProtobuf(data []byte, message protoreflect.MessageDescriptor) error {
	parts := 0

	return walkProtobuf(data, message, maxDepth, &parts)
}

func walkProtobuf(data []byte, message protoreflect.MessageDescriptor, depth int, parts *int) error {
	if depth == 0 {
		return errTooDeep
	}

	for len(data) > 0 {
		number, wireType, n := protowire.ConsumeTag(data)
		if n < 0 {
			return fmt.Errorf("traceview: malformed protobuf: %w", protowire.ParseError(n))
		}

		data = data[n:]

		if wireType != protowire.BytesType {
			if n = protowire.ConsumeFieldValue(number, wireType, data); n < 0 {
				return fmt.Errorf("traceview: malformed protobuf: %w", protowire.ParseError(n))
			}

			data = data[n:]

			continue
		}

		value, n := protowire.ConsumeBytes(data)
		if n < 0 {
			return fmt.Errorf("traceview: malformed protobuf: %w", protowire.ParseError(n))
		}

		data = data[n:]

		field := message.Fields().ByNumber(number)
		if field == nil || field.Message() == nil && !field.IsList() {
			continue
		}

		if *parts++; *parts > maxParts {
			return ErrTooLarge
		}

		if field.Message() == nil {
			continue
		}

		if err := walkProtobuf(value, field.Message(), depth-1, parts); err != nil {
			return err
		}
	}

	return nil
}
