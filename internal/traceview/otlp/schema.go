//nolint:goconst // Names of fields stand where the messages are described.
package otlp

import "google.golang.org/protobuf/encoding/protowire"

// message describes one of OTLP's messages, for both encodings, to leave out the values for
// which pdata would refuse a whole request.
// https://github.com/open-telemetry/opentelemetry-proto/blob/v1.11.0/opentelemetry/proto/trace/v1/trace.proto
type message struct {
	fields []field
}

type field struct {
	number protowire.Number
	name   string
	kind   kind
	list   bool
	of     *message // if kind is isMessage
}

// kind is what a value may be. All values of a kind are written alike in both encodings.
type kind int

const (
	isMessage kind = iota
	isText
	isBool
	isInt64
	isUint32
	isSpanKind
	isStatusCode
	isTime // fixed64
	isFlags
	isDouble
	isBytes
	isTraceID
	isSpanID
	isParentID
)

// wireType is how values of a kind are written in protobuf.
func (k kind) wireType() protowire.Type {
	switch k {
	case isBool, isInt64, isUint32, isSpanKind, isStatusCode:
		return protowire.VarintType
	case isTime, isDouble:
		return protowire.Fixed64Type
	case isFlags:
		return protowire.Fixed32Type
	default:
		return protowire.BytesType
	}
}

var (
	keyValue = &message{}
	anyValue = &message{}

	arrayValue = &message{[]field{{number: 1, name: "values", list: true, of: anyValue}}}
	valueList  = &message{[]field{{number: 1, name: "values", list: true, of: keyValue}}}

	resource = &message{[]field{
		{number: 1, name: "attributes", list: true, of: keyValue},
		{number: 2, name: "droppedAttributesCount", kind: isUint32},
	}}
	scope = &message{[]field{
		{number: 1, name: "name", kind: isText},
		{number: 2, name: "version", kind: isText},
		{number: 3, name: "attributes", list: true, of: keyValue},
		{number: 4, name: "droppedAttributesCount", kind: isUint32},
	}}
	event = &message{[]field{
		{number: 1, name: "timeUnixNano", kind: isTime},
		{number: 2, name: "name", kind: isText},
		{number: 3, name: "attributes", list: true, of: keyValue},
		{number: 4, name: "droppedAttributesCount", kind: isUint32},
	}}
	link = &message{[]field{
		{number: 1, name: "traceId", kind: isTraceID},
		{number: 2, name: "spanId", kind: isSpanID},
		{number: 3, name: "traceState", kind: isText},
		{number: 4, name: "attributes", list: true, of: keyValue},
		{number: 5, name: "droppedAttributesCount", kind: isUint32},
		{number: 6, name: "flags", kind: isFlags},
	}}
	status = &message{[]field{
		{number: 2, name: "message", kind: isText},
		{number: 3, name: "code", kind: isStatusCode},
	}}
	span = &message{[]field{
		{number: 1, name: "traceId", kind: isTraceID},
		{number: 2, name: "spanId", kind: isSpanID},
		{number: 3, name: "traceState", kind: isText},
		{number: 4, name: "parentSpanId", kind: isParentID},
		{number: 5, name: "name", kind: isText},
		{number: 6, name: "kind", kind: isSpanKind},
		{number: 7, name: "startTimeUnixNano", kind: isTime},
		{number: 8, name: "endTimeUnixNano", kind: isTime},
		{number: 9, name: "attributes", list: true, of: keyValue},
		{number: 10, name: "droppedAttributesCount", kind: isUint32},
		{number: 11, name: "events", list: true, of: event},
		{number: 12, name: "droppedEventsCount", kind: isUint32},
		{number: 13, name: "links", list: true, of: link},
		{number: 14, name: "droppedLinksCount", kind: isUint32},
		{number: 15, name: "status", of: status},
		{number: 16, name: "flags", kind: isFlags},
	}}
)

func init() { //nolint:gochecknoinits // The two contain each other.
	keyValue.fields = []field{
		{number: 1, name: "key", kind: isText},
		{number: 2, name: "value", of: anyValue},
	}
	anyValue.fields = []field{
		{number: 1, name: "stringValue", kind: isText},
		{number: 2, name: "boolValue", kind: isBool},
		{number: 3, name: "intValue", kind: isInt64},
		{number: 4, name: "doubleValue", kind: isDouble},
		{number: 5, name: "arrayValue", of: arrayValue},
		{number: 6, name: "kvlistValue", of: valueList},
		{number: 7, name: "bytesValue", kind: isBytes},
	}
}

func (m *message) byNumber(n protowire.Number) *field {
	for i := range m.fields {
		if m.fields[i].number == n {
			return &m.fields[i]
		}
	}

	return nil
}

// byName finds a field by its JSON name or by its protobuf name, for instance
// start_time_unix_nano, which readers of JSON have to accept, too.
func (m *message) byName(name string) *field {
	for i := range m.fields {
		if m.fields[i].name == name || isSnakeCase(name, m.fields[i].name) {
			return &m.fields[i]
		}
	}

	return nil
}

// isSnakeCase reports whether a name is the snake-case form of a camel-case name.
func isSnakeCase(snake, camel string) bool {
	at := 0

	for i := range len(camel) {
		c := camel[i]
		if c >= 'A' && c <= 'Z' {
			if at >= len(snake) || snake[at] != '_' {
				return false
			}

			at++

			c += 'a' - 'A'
		}

		if at >= len(snake) || snake[at] != c {
			return false
		}

		at++
	}

	return at == len(snake)
}
