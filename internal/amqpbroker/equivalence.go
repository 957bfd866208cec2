package amqpbroker

import (
	"fmt"
	"math"
	"strconv"
)

// sameFlag and sameArgument compare a second declaration with the first.
func sameFlag(name, what string, received, current bool) error {
	if received == current {
		return nil
	}
	return fail(preconditionFailed, "inequivalent arg '%s' for %s: received '%t' but current is '%t'", name, what, received, current)
}

func sameArgument(name, what string, received, current table) error {
	r, hasR := received.find(name)
	c, hasC := current.find(name)
	switch {
	case !hasR && !hasC || hasR && hasC && sameValue(r, c):
		return nil
	case hasR && hasC:
		return fail(preconditionFailed, "inequivalent arg '%s' for %s: received '%s' but current is '%s'", name, what, r.show(), c.show())
	}
	return fail(preconditionFailed, "inequivalent arg '%s' for %s: received %s but current is %s", name, what, describe(r, hasR), describe(c, hasC))
}

func describe(f field, present bool) string {
	if !present {
		return "none"
	}
	return fmt.Sprintf("the value '%s' of type '%s'", f.show(), typeName(f.kind))
}

// show writes a field's value for a reply text.
func (f field) show() string {
	if s, ok := f.text(); ok {
		return s
	}
	if n, ok := f.integer(); ok {
		return strconv.FormatInt(n, 10)
	}
	if f.kind == 't' {
		return strconv.FormatBool(f.value[0] != 0)
	}
	return octets(f.value)
}

// sameValue compares values as RabbitMQ does: integers and times by value, whatever their
// size; floating-point numbers by value; strings and binaries by their octets.
func sameValue(a, b field) bool {
	if x, ok := a.whole(); ok {
		y, ok := b.whole()
		return ok && x == y
	}
	if x, ok := a.float(); ok {
		y, ok := b.float()
		return ok && x == y
	}
	octets := func(kind byte) bool { return kind == 'S' || kind == 'x' }
	return (a.kind == b.kind || octets(a.kind) && octets(b.kind)) && string(a.value) == string(b.value)
}

// whole returns the value of an integer or a time.
func (f field) whole() (int64, bool) {
	if f.kind == 'T' {
		d := decoder{b: f.value}
		return int64(d.u64()), true
	}
	return f.integer()
}

// float returns the value of a floating-point number.
func (f field) float() (float64, bool) {
	d := decoder{b: f.value}
	switch f.kind {
	case 'f':
		return float64(math.Float32frombits(d.u32())), true
	case 'd':
		return math.Float64frombits(d.u64()), true
	}
	return 0, false
}
