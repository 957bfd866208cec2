package amqpbroker

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// maxTimer is the longest time RabbitMQ takes, in milliseconds: ten years.
const maxTimer = 10 * 365 * 24 * 60 * 60 * 1000

const queueType = "x-queue-type"

type overflow int

const (
	dropHead overflow = iota
	rejectPublish
	rejectPublishDeadLetter
)

// queueTraits are what a queue was declared with. Numbers are -1 where not given;
// times are in milliseconds.
type queueTraits struct {
	durable, autoDelete bool

	quorum        bool
	messageTTL    int64
	expiry        int64
	maxLength     int64
	maxBytes      int64
	maxPriority   int64
	deliveryLimit int64
	overflow      overflow
	singleActive  bool
	deadExchange  *string
	deadKey       *string
}

// argument says how one x-argument of queue.declare is checked and kept. on is the
// type of queue it is for, "" for any.
type argument struct {
	name string
	on   string
	set  func(t *queueTraits, f field) (problem string)
}

// queueArguments are those the broker knows; as RabbitMQ it lets others pass
// (https://www.rabbitmq.com/docs/queues#optional-arguments). These are also the
// ones that a second declaration must repeat.
var queueArguments = []argument{
	{"x-expires", "", number(1, maxTimer, func(t *queueTraits) *int64 { return &t.expiry })},
	{"x-message-ttl", "", number(0, maxTimer, func(t *queueTraits) *int64 { return &t.messageTTL })},
	{"x-dead-letter-exchange", "", name(func(t *queueTraits) **string { return &t.deadExchange })},
	{"x-dead-letter-routing-key", "", name(func(t *queueTraits) **string { return &t.deadKey })},
	{"x-max-length", "", number(0, math.MaxInt64, func(t *queueTraits) *int64 { return &t.maxLength })},
	{"x-max-length-bytes", "", number(0, math.MaxInt64, func(t *queueTraits) *int64 { return &t.maxBytes })},
	{"x-max-priority", "classic", number(0, math.MaxUint8, func(t *queueTraits) *int64 { return &t.maxPriority })},
	{"x-delivery-limit", "quorum", number(0, math.MaxInt64, func(t *queueTraits) *int64 { return &t.deliveryLimit })},
	{"x-overflow", "", text(setOverflow)},
	{"x-queue-mode", "classic", text(setMode)},
	{"x-single-active-consumer", "", setSingleActive},
	{queueType, "", text(setType)},
}

func number(low, high int64, at func(*queueTraits) *int64) func(*queueTraits, field) string {
	return func(t *queueTraits, f field) string {
		n, ok := f.integer()
		switch {
		case !ok:
			return fmt.Sprintf("\"expected integer, got %s\"", typeName(f.kind))
		case n < 0:
			return fmt.Sprintf("{value_negative,%d}", n)
		case n < low:
			return fmt.Sprintf("{value_zero,%d}", n)
		case n > high && high == math.MaxUint8:
			return fmt.Sprintf("{max_value_exceeded,%d}", n)
		case n > high:
			return fmt.Sprintf("{value_too_large,%d}", n)
		}
		*at(t) = n
		return ""
	}
}

func wrongType(f field) string { return fmt.Sprintf("{unacceptable_type,%s}", typeName(f.kind)) }

// text reads a string argument with f, which says what is wrong with it.
func text(read func(t *queueTraits, s string) string) func(*queueTraits, field) string {
	return func(t *queueTraits, f field) string {
		s, ok := f.text()
		if !ok {
			return wrongType(f)
		}
		return read(t, s)
	}
}

func name(at func(*queueTraits) **string) func(*queueTraits, field) string {
	return text(func(t *queueTraits, s string) string {
		*at(t) = &s
		return ""
	})
}

func setOverflow(t *queueTraits, s string) string {
	switch s {
	case "drop-head":
		t.overflow = dropHead
	case "reject-publish":
		t.overflow = rejectPublish
	case "reject-publish-dlx":
		t.overflow = rejectPublishDeadLetter
	default:
		return "invalid_overflow"
	}
	return ""
}

// setMode takes what has no meaning here: nothing is ever on disk.
func setMode(_ *queueTraits, s string) string {
	if s != "default" && s != "lazy" {
		return fmt.Sprintf("\"unsupported queue mode '%s'\"", s)
	}
	return ""
}

func setSingleActive(t *queueTraits, f field) string {
	if f.kind != 't' {
		return wrongType(f)
	}
	t.singleActive = f.value[0] != 0
	return ""
}

func setType(t *queueTraits, s string) string {
	t.quorum = s == "quorum"
	if s != "classic" && s != "quorum" {
		return fmt.Sprintf("\"unsupported queue type '%s'\"", s)
	}
	return ""
}

// readTraits checks the arguments of queue.declare, in RabbitMQ's order.
func readTraits(queue string, durable, autoDelete, exclusive bool, args table) (queueTraits, error) {
	t := queueTraits{
		durable: durable, autoDelete: autoDelete,
		messageTTL: -1, expiry: -1, maxLength: -1, maxBytes: -1, maxPriority: -1, deliveryLimit: -1,
	}
	if f, ok := args.find("x-dead-letter-exchange"); ok && f.kind != 'S' {
		return t, fail(preconditionFailed, "invalid type '%s' for arg '%s' in %s", typeName(f.kind), f.name, queueNamed(queue))
	}
	kind := "classic"
	if f, _ := args.find(queueType); f.is("quorum") {
		kind = "quorum"
	}
	for _, a := range queueArguments {
		if _, ok := args.find(a.name); ok && a.on != "" && a.on != kind {
			return t, fail(preconditionFailed, "invalid arg '%s' for %s of queue type rabbit_%s_queue", a.name, queueNamed(queue), kind)
		}
	}
	for _, a := range queueArguments {
		f, ok := args.find(a.name)
		if !ok {
			continue
		}
		if problem := a.set(&t, f); problem != "" {
			return t, fail(preconditionFailed, "invalid arg '%s' for %s: %s", a.name, queueNamed(queue), problem)
		}
	}
	if t.deadKey != nil && t.deadExchange == nil {
		return t, fail(preconditionFailed, "invalid arg 'x-dead-letter-routing-key' for %s: routing_key_but_no_dlx_defined", queueNamed(queue))
	}
	if t.quorum {
		return t, t.quorumCan(queue, exclusive)
	}
	return t, nil
}

// quorumCan refuses what a quorum queue cannot be.
func (t queueTraits) quorumCan(queue string, exclusive bool) error {
	for _, p := range []struct {
		bad  bool
		name string
	}{{t.autoDelete, "auto-delete"}, {exclusive, "exclusive-owner"}, {!t.durable, "non-durable"}} {
		if p.bad {
			return fail(preconditionFailed, "invalid property '%s' for %s", p.name, queueNamed(queue))
		}
	}
	return nil
}

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
	if name == queueType && (!hasR || r.is("classic")) && (!hasC || c.is("classic")) {
		return nil // classic is what a queue is where nothing is said
	}
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

// sameValue compares values as RabbitMQ does: numbers by value, whatever their
// type.
func sameValue(a, b field) bool {
	x, xok := a.number()
	y, yok := b.number()
	if xok && yok {
		return x == y
	}
	octets := func(kind byte) bool { return kind == 'S' || kind == 'x' }
	return (a.kind == b.kind || octets(a.kind) && octets(b.kind)) && string(a.value) == string(b.value)
}

// number is the value of a field of any numeric type, times included.
func (f field) number() (float64, bool) {
	d := decoder{b: f.value}
	switch f.kind {
	case 'f':
		return float64(math.Float32frombits(d.u32())), true
	case 'd':
		return math.Float64frombits(d.u64()), true
	case 'T':
		return float64(d.u64()), true
	}
	n, ok := f.integer()
	return float64(n), ok
}

// is tells whether f is a string field with the value s.
func (f field) is(s string) bool {
	v, ok := f.text()
	return ok && v == s
}

// typeName is RabbitMQ's name for a field type.
func typeName(kind byte) string {
	names := map[byte]string{
		'S': "longstr", 'I': "signedint", 'D': "decimal", 'T': "timestamp", 'V': "void",
		'F': "table", 'A': "array", 'b': "byte", 'd': "double", 'f': "float", 'l': "long",
		's': "short", 't': "bool", 'x': "binary", 'B': "unsignedbyte", 'u': "unsignedshort",
		'i': "unsignedint",
	}
	return names[kind]
}

// cleanName drops the line ends that RabbitMQ drops from names.
func cleanName(s string) string { return strings.NewReplacer("\r", "", "\n", "").Replace(s) }
