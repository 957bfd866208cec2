package amqpbroker

import (
	"fmt"
	"math"
	"slices"
)

// maxTimer is the longest time that RabbitMQ accepts, in milliseconds: ten years.
const maxTimer = 10 * 365 * 24 * 60 * 60 * 1000

// typeArguments are the x-arguments of queue.declare that a queue type supports. A second
// declaration must repeat them, and they are compared in this order
// (https://www.rabbitmq.com/docs/queues#optional-arguments).
var typeArguments = map[string][]string{
	"classic": {
		"x-expires", "x-message-ttl", "x-dead-letter-exchange", "x-dead-letter-routing-key", "x-max-length",
		"x-max-length-bytes", "x-max-priority", "x-overflow", "x-queue-mode", "x-queue-version",
		"x-single-active-consumer", queueType, "x-queue-master-locator", "x-queue-leader-locator",
	},
	"quorum": {
		"x-dead-letter-exchange", "x-dead-letter-routing-key", "x-dead-letter-strategy", "x-expires", "x-max-length",
		"x-max-length-bytes", "x-max-in-memory-length", "x-max-in-memory-bytes", "x-overflow",
		"x-single-active-consumer", queueType, "x-quorum-initial-group-size", "x-delivery-limit", "x-message-ttl",
		"x-queue-leader-locator", "x-consumer-disconnected-timeout", "x-consumer-timeout", "x-delayed-retry-type",
		"x-delayed-retry-min", "x-delayed-retry-max",
	},
	"stream": { // not supported here
		"x-max-length-bytes", queueType, "x-max-age", "x-stream-max-segment-size-bytes", "x-stream-filter-size-bytes",
		"x-initial-cluster-size", "x-queue-leader-locator",
	},
}

// argument describes how an x-argument is checked and stored.
type argument struct {
	name string
	set  func(t *queueTraits, args table, f field) (problem string)
}

// queueArguments are the arguments whose values are checked, in RabbitMQ's order. Others
// are accepted as they are.
var queueArguments = []argument{
	{"x-expires", number(1, maxTimer, func(t *queueTraits) *int64 { return &t.expiry })},
	{"x-message-ttl", number(0, maxTimer, func(t *queueTraits) *int64 { return &t.messageTTL })},
	{"x-dead-letter-exchange", name(func(t *queueTraits) **string { return &t.deadExchange })},
	{"x-dead-letter-routing-key", setDeadKey},
	{"x-dead-letter-strategy", oneOf("invalid_dlx_strategy", "at-most-once", "at-least-once")},
	{"x-max-length", number(0, math.MaxInt64, func(t *queueTraits) *int64 { return &t.maxLength })},
	{"x-max-length-bytes", number(0, math.MaxInt64, func(t *queueTraits) *int64 { return &t.maxBytes })},
	{"x-max-in-memory-length", number(0, math.MaxInt64, nil)},
	{"x-max-in-memory-bytes", number(0, math.MaxInt64, nil)},
	{"x-max-priority", number(0, math.MaxUint8, func(t *queueTraits) *int64 { return &t.maxPriority })},
	{"x-overflow", text(setOverflow)},
	{"x-queue-version", setVersion},
	{"x-single-active-consumer", setSingleActive},
	{"x-consumer-timeout", number(0, math.MaxInt64, nil)},
	{"x-consumer-disconnected-timeout", number(0, math.MaxInt64, nil)},
	{"x-quorum-initial-group-size", number(1, math.MaxInt64, nil)},
	{"x-queue-leader-locator", oneOf("invalid_queue_locator_arg", "client-local", "balanced")},
	{"x-delivery-limit", setDeliveryLimit},
}

// number checks an integer from low to high, and stores it through at unless that is nil.
func number(low, high int64, at func(*queueTraits) *int64) func(*queueTraits, table, field) string {
	return func(t *queueTraits, _ table, f field) string {
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
		if at != nil {
			*at(t) = n
		}
		return ""
	}
}

func wrongType(f field) string { return fmt.Sprintf("{unacceptable_type,%s}", typeName(f.kind)) }

// text reads a string argument with f, which returns a description of what is wrong with
// it.
func text(read func(t *queueTraits, s string) string) func(*queueTraits, table, field) string {
	return func(t *queueTraits, _ table, f field) string {
		s, ok := f.text()
		if !ok {
			return wrongType(f)
		}
		return read(t, s)
	}
}

func name(at func(*queueTraits) **string) func(*queueTraits, table, field) string {
	return text(func(t *queueTraits, s string) string {
		*at(t) = &s
		return ""
	})
}

// oneOf checks a string that has no effect here but must be one of the given values.
func oneOf(problem string, known ...string) func(*queueTraits, table, field) string {
	return text(func(_ *queueTraits, s string) string {
		if !slices.Contains(known, s) {
			return problem
		}
		return ""
	})
}

func setDeadKey(t *queueTraits, args table, f field) string {
	if _, ok := args.find("x-dead-letter-exchange"); f.kind == 'S' && !ok {
		return "routing_key_but_no_dlx_defined"
	}
	return name(func(t *queueTraits) **string { return &t.deadKey })(t, args, f)
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

// setVersion accepts a value that has no effect: nothing is ever written to disk.
func setVersion(t *queueTraits, args table, f field) string {
	var version int64
	problem := number(0, math.MaxInt64, func(*queueTraits) *int64 { return &version })(t, args, f)
	if problem == "" && version != 2 {
		return fmt.Sprintf("\"unsupported queue version '%d'\"", version)
	}
	return problem
}

func setSingleActive(t *queueTraits, _ table, f field) string {
	if f.kind != 't' {
		return wrongType(f)
	}
	t.singleActive = f.value[0] != 0
	return ""
}

// setDeliveryLimit ignores values that are not integers.
func setDeliveryLimit(t *queueTraits, _ table, f field) string {
	if n, ok := f.integer(); ok {
		t.deliveryLimit = n
	}
	return ""
}
