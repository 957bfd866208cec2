package amqpbroker

import (
	"encoding/binary"
	"slices"
	"strings"
)

// field is one entry of a field table. Its value stays in wire form, so that values the
// broker has no reason to change leave as they came.
type field struct {
	name  string
	kind  byte
	value []byte
}

// table is a field table (AMQP 0-9-1 section 4.2.5.5), in wire order.
type table []field

func (t table) find(name string) (field, bool) {
	for _, f := range t {
		if f.name == name {
			return f, true
		}
	}
	return field{}, false
}

func (t table) findLast(name string) (field, bool) {
	for _, f := range slices.Backward(t) {
		if f.name == name {
			return f, true
		}
	}
	return field{}, false
}

// with returns a copy of t in which name has the given value.
func (t table) with(f field) table {
	return append(t.without(f.name), f)
}

// without returns a copy of t without name, with room for one more field.
func (t table) without(name string) table {
	out := make(table, 0, len(t)+1)
	for _, f := range t {
		if f.name != name {
			out = append(out, f)
		}
	}
	return out
}

// sorted returns a copy of t sorted by name.
func (t table) sorted() table {
	t = slices.Clone(t)
	slices.SortStableFunc(t, byName)
	return t
}

func byName(a, b field) int { return strings.Compare(a.name, b.name) }

// canonical returns t as RabbitMQ delivers a message's headers: sorted by name, with only
// the first of any that are repeated.
func (t table) canonical() table {
	if t.isCanonical() {
		return t
	}
	return slices.CompactFunc(t.sorted(), func(a, b field) bool { return a.name == b.name })
}

func (t table) isCanonical() bool {
	for i := 1; i < len(t); i++ {
		if byName(t[i-1], t[i]) >= 0 {
			return false
		}
	}
	return true
}

func stringField(name, s string) field {
	return field{name, 'S', encoder{}.longstr(s)}
}

func longField(name string, v int64) field {
	return field{name, 'l', encoder{}.u64(uint64(v))}
}

func tableField(name string, t table) field {
	return field{name, 'F', encoder{}.table(t)}
}

func boolField(name string, v bool) field {
	return field{name, 't', encoder{}.bit(v)}
}

// typeName returns RabbitMQ's name for a field type.
func typeName(kind byte) string {
	names := map[byte]string{
		'S': "longstr", 'I': "signedint", 'D': "decimal", 'T': "timestamp", 'V': "void",
		'F': "table", 'A': "array", 'b': "byte", 'd': "double", 'f': "float", 'l': "long",
		's': "short", 't': "bool", 'x': "binary", 'B': "unsignedbyte", 'u': "unsignedshort",
		'i': "unsignedint",
	}
	return names[kind]
}

// text returns the value of a string field.
func (f field) text() (string, bool) {
	if f.kind != 'S' {
		return "", false
	}
	return string(f.value[4:]), true
}

// integer returns the value of a field of any integer type.
func (f field) integer() (int64, bool) {
	d := decoder{b: f.value}
	switch f.kind {
	case 'b':
		return int64(int8(d.u8())), true
	case 'B':
		return int64(d.u8()), true
	case 's':
		return int64(int16(d.u16())), true
	case 'u':
		return int64(d.u16()), true
	case 'I':
		return int64(int32(d.u32())), true
	case 'i':
		return int64(d.u32()), true
	case 'l':
		return int64(d.u64()), true
	}
	return 0, false
}

// tableValue returns the value of a table field.
func (f field) tableValue() (table, bool) {
	if f.kind != 'F' {
		return nil, false
	}
	return parseTable(f.value[4:])
}

// array returns the value of an array field; its items have no names.
func (f field) array() ([]field, bool) {
	if f.kind != 'A' {
		return nil, false
	}
	var items []field
	for b := f.value[4:]; len(b) > 0; {
		n, ok := valueSize(b)
		if !ok {
			return nil, false
		}
		items = append(items, field{kind: b[0], value: b[1:n:n]})
		b = b[n:]
	}
	return items, true
}

func arrayField(name string, items []field) field {
	body := encoder{}
	for _, f := range items {
		body = append(body.u8(f.kind), f.value...)
	}
	return field{name, 'A', encoder{}.longstr(string(body))}
}

// parseTable splits the body of a field table, checking nested values too.
func parseTable(b []byte) (table, bool) {
	var t table
	for len(b) > 0 {
		nameEnd := 1 + int(b[0])
		if nameEnd >= len(b) {
			return nil, false
		}
		n, ok := valueSize(b[nameEnd:])
		if !ok {
			return nil, false
		}
		end := nameEnd + n
		t = append(t, field{string(b[1:nameEnd]), b[nameEnd], b[nameEnd+1 : end : end]})
		b = b[end:]
	}
	return t, true
}

// valueSize returns the length of the field value that b starts with, including its type
// octet. The types are those that RabbitMQ reads:
// https://www.rabbitmq.com/amqp-0-9-1-errata#section_3
func valueSize(b []byte) (int, bool) {
	if len(b) == 0 {
		return 0, false
	}
	n := 1
	switch b[0] {
	case 'V':
	case 't', 'b', 'B':
		n = 2
	case 's', 'u':
		n = 3
	case 'I', 'i', 'f':
		n = 5
	case 'D':
		n = 6
	case 'l', 'd', 'T':
		n = 9
	case 'S', 'x', 'F', 'A':
		if len(b) < 5 {
			return 0, false
		}
		size := uint64(binary.BigEndian.Uint32(b[1:]))
		if size > uint64(len(b)-5) {
			return 0, false
		}
		n = 5 + int(size)
		if !nestedOK(b[0], b[5:n]) {
			return 0, false
		}
	default:
		return 0, false
	}
	return n, n <= len(b)
}

// nestedOK checks the values inside a table or an array. The frame size bounds the depth,
// because each level takes at least five octets.
func nestedOK(kind byte, b []byte) bool {
	for kind == 'F' || kind == 'A' {
		if len(b) == 0 {
			return true
		}
		skip := 0
		if kind == 'F' {
			skip = 1 + int(b[0])
		}
		if skip >= len(b) {
			return false
		}
		n, ok := valueSize(b[skip:])
		if !ok {
			return false
		}
		b = b[skip+n:]
	}
	return true
}
