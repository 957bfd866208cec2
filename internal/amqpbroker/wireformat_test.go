package amqpbroker_test

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"
	"strconv"
	"strings"
)

func appendArgs(b []byte, spec string, args map[string]string) []byte {
	bits := 0
	for f := range strings.FieldsSeq(spec) {
		kind, name := f[0], strings.TrimPrefix(f[1:], ":")
		v, given := args[name]
		if kind == 'b' {
			if bits == 0 {
				b = append(b, 0)
			}
			if given && v != "0" {
				b[len(b)-1] |= 1 << bits
			}
			bits++
			continue
		}
		bits = 0
		b = appendValue(b, kind, v)
	}
	return b
}

func appendValue(b []byte, kind byte, v string) []byte {
	n, _ := strconv.ParseUint(v, 10, 64)
	switch kind {
	case 'B':
		return append(b, byte(n))
	case 'H':
		return binary.BigEndian.AppendUint16(b, uint16(n))
	case 'I':
		return binary.BigEndian.AppendUint32(b, uint32(n))
	case 'L':
		return binary.BigEndian.AppendUint64(b, n)
	case 's':
		return append(append(b, byte(len(v))), v...)
	case 'S':
		return append(binary.BigEndian.AppendUint32(b, uint32(len(v))), v...)
	}
	body := []byte{}
	if v != "" {
		body = appendTable(nil, strings.TrimSuffix(strings.TrimPrefix(v, "{"), "}"), true)
	}
	return append(binary.BigEndian.AppendUint32(b, uint32(len(body))), body...)
}

// appendTable encodes name:TYPE:value pairs, or TYPE:value items without names.
func appendTable(b []byte, items string, named bool) []byte {
	depth, from := 0, 0
	for i, r := range items + "," {
		switch {
		case r == '{' || r == '[':
			depth++
		case r == '}' || r == ']':
			depth--
		case r == ',' && depth == 0 && i > from:
			item := items[from:i]
			if named {
				name, rest, _ := strings.Cut(item, ":")
				b, item = append(append(b, byte(len(name))), name...), rest
			}
			b = appendField(b, item[0], item[2:])
			from = i + 1
		}
	}
	return b
}

func appendField(b []byte, kind byte, v string) []byte {
	b = append(b, kind)
	n, _ := strconv.ParseInt(v, 10, 64)
	f, _ := strconv.ParseFloat(v, 64)
	switch kind {
	case 'V':
		return b
	case 't', 'b', 'B':
		return append(b, byte(n))
	case 's', 'u':
		return binary.BigEndian.AppendUint16(b, uint16(n))
	case 'I', 'i':
		return binary.BigEndian.AppendUint32(b, uint32(n))
	case 'l', 'T':
		return binary.BigEndian.AppendUint64(b, uint64(n))
	case 'f':
		return binary.BigEndian.AppendUint32(b, math.Float32bits(float32(f)))
	case 'd':
		return binary.BigEndian.AppendUint64(b, math.Float64bits(f))
	case 'D':
		scale, value, _ := strings.Cut(v, "/")
		s, _ := strconv.Atoi(scale)
		n, _ := strconv.Atoi(value)
		return binary.BigEndian.AppendUint32(append(b, byte(s)), uint32(n))
	case 'S':
		return append(binary.BigEndian.AppendUint32(b, uint32(len(v))), v...)
	case 'x':
		return append(binary.BigEndian.AppendUint32(b, uint32(len(v)/2)), unhex(v)...)
	}
	body := appendTable(nil, v[1:len(v)-1], kind == 'F')
	return append(binary.BigEndian.AppendUint32(b, uint32(len(body))), body...)
}

// reading decodes what a server sent.
type reading struct{ b []byte }

func (r *reading) take(n int) []byte {
	if n > len(r.b) {
		n = len(r.b)
	}
	v := r.b[:n]
	r.b = r.b[n:]
	return v
}

func (r *reading) number(size int) (n uint64) {
	for _, o := range r.take(size) {
		n = n<<8 | uint64(o)
	}
	return n
}

// args lists the arguments that are not zero.
func (r *reading) args(spec string) string {
	line, bits, octet := "", 0, byte(0)
	for f := range strings.FieldsSeq(spec) {
		kind, name := f[0], strings.TrimPrefix(f[1:], ":")
		if kind == 'b' {
			if bits == 0 {
				octet = byte(r.number(1))
			}
			if octet&(1<<bits) != 0 {
				line += " " + name
			}
			bits++
			continue
		}
		bits = 0
		v := r.value(kind)
		if name != "" && v != "0" && v != "" {
			line += " " + name + "=" + v
		}
	}
	return line
}

func (r *reading) value(kind byte) string {
	switch kind {
	case 'B':
		return fmt.Sprint(r.number(1))
	case 'H':
		return fmt.Sprint(r.number(2))
	case 'I':
		return fmt.Sprint(r.number(4))
	case 'L':
		return fmt.Sprint(r.number(8))
	case 's':
		return string(r.take(int(r.number(1))))
	case 'S':
		return string(r.take(int(r.number(4))))
	}
	return r.table(true)
}

func (r *reading) table(named bool) string {
	inner := &reading{b: r.take(int(r.number(4)))}
	var items []string
	for len(inner.b) > 0 {
		name := ""
		if named {
			name = inner.value('s') + ":"
		}
		item := name + inner.field()
		if strings.HasPrefix(item, "time:T:") {
			item = "time:T:now"
		}
		items = append(items, item)
	}
	if named {
		return "{" + strings.Join(items, ",") + "}"
	}
	return "[" + strings.Join(items, ",") + "]"
}

func (r *reading) field() string {
	kind := byte(r.number(1))
	v := ""
	switch kind {
	case 't', 'B':
		v = r.value('B')
	case 'b':
		v = fmt.Sprint(int8(r.number(1)))
	case 's':
		v = fmt.Sprint(int16(r.number(2)))
	case 'u':
		v = r.value('H')
	case 'I':
		v = fmt.Sprint(int32(r.number(4)))
	case 'i':
		v = r.value('I')
	case 'l', 'T':
		v = fmt.Sprint(int64(r.number(8)))
	case 'f':
		v = fmt.Sprint(math.Float32frombits(uint32(r.number(4))))
	case 'd':
		v = fmt.Sprint(math.Float64frombits(r.number(8)))
	case 'D':
		v = fmt.Sprintf("%d/%d", r.number(1), int32(r.number(4)))
	case 'S':
		v = r.value('S')
	case 'x':
		v = hex.EncodeToString(r.take(int(r.number(4))))
	case 'F':
		v = r.table(true)
	case 'A':
		v = r.table(false)
	}
	return string(kind) + ":" + v
}
