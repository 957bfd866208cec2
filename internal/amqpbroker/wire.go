package amqpbroker

import (
	"encoding/binary"
	"math"
)

// decoder reads AMQP values off a payload. A short payload does not stop it: it sets bad
// and returns zero values, so that a method can be read in full and checked once.
type decoder struct {
	b   []byte
	all []byte // as b was when the arguments began
	bad bool
}

// arguments starts decoding a method's arguments.
func (d *decoder) arguments() { d.all = d.b }

// undecodable returns the error for malformed arguments.
func (d *decoder) undecodable() error { return fail(frameError, "cannot decode %s", octets(d.all)) }

func (d *decoder) take(n int) []byte {
	if n < 0 || n > len(d.b) {
		d.bad, d.b = true, nil
		return nil
	}
	v := d.b[:n:n]
	d.b = d.b[n:]
	return v
}

func (d *decoder) u8() uint8 {
	if v := d.take(1); v != nil {
		return v[0]
	}
	return 0
}

func (d *decoder) u16() uint16 {
	if v := d.take(2); v != nil {
		return binary.BigEndian.Uint16(v)
	}
	return 0
}

func (d *decoder) u32() uint32 {
	if v := d.take(4); v != nil {
		return binary.BigEndian.Uint32(v)
	}
	return 0
}

func (d *decoder) u64() uint64 {
	if v := d.take(8); v != nil {
		return binary.BigEndian.Uint64(v)
	}
	return 0
}

func (d *decoder) shortstr() string { return string(d.take(int(d.u8()))) }

func (d *decoder) longstr() []byte { return d.take(int(d.u32())) }

func (d *decoder) table() table {
	t, ok := parseTable(d.longstr())
	d.bad = d.bad || !ok
	return t
}

// done reports whether the payload held exactly what was read from it.
func (d *decoder) done() bool { return !d.bad && len(d.b) == 0 }

// encoder builds a payload by appending.
type encoder []byte

func (e encoder) u8(v uint8) encoder   { return append(e, v) }
func (e encoder) u16(v uint16) encoder { return binary.BigEndian.AppendUint16(e, v) }
func (e encoder) u32(v uint32) encoder { return binary.BigEndian.AppendUint32(e, v) }
func (e encoder) u64(v uint64) encoder { return binary.BigEndian.AppendUint64(e, v) }

func (e encoder) bit(v bool) encoder {
	if v {
		return append(e, 1)
	}
	return append(e, 0)
}

func (e encoder) shortstr(s string) encoder {
	s = s[:min(len(s), math.MaxUint8)]
	return append(append(e, byte(len(s))), s...)
}

func (e encoder) longstr(s string) encoder {
	return append(e.u32(uint32(len(s))), s...)
}

func (e encoder) table(t table) encoder {
	at := len(e)
	e = e.u32(0)
	for _, f := range t {
		e = append(e.shortstr(f.name).u8(f.kind), f.value...)
	}
	binary.BigEndian.PutUint32(e[at:], uint32(len(e)-at-4))
	return e
}
