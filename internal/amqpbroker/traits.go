package amqpbroker

import (
	"fmt"
	"slices"
)

// defaultDeliveryLimit is the limit of a quorum queue declared without one.
const defaultDeliveryLimit = 20

const queueType = "x-queue-type"

type overflow int

const (
	dropHead overflow = iota
	rejectPublish
	rejectPublishDeadLetter
)

// queueTraits are what a queue was declared with. Numbers are -1 if not given; times are in
// milliseconds.
type queueTraits struct {
	durable, autoDelete bool

	quorum        bool
	messageTTL    int64
	expiry        int64
	maxLength     int64
	maxBytes      int64
	maxPriority   int64
	deliveryLimit int64 // of failures; below 0 for none
	overflow      overflow
	singleActive  bool
	deadExchange  *string
	deadKey       *string
}

// typed returns the arguments with the type of the queue, classic if not given.
func (t table) typed() table {
	if _, ok := t.find(queueType); ok {
		return t
	}
	return t.with(stringField(queueType, "classic")).sorted()
}

// kindOf returns the queue type given in the arguments.
func kindOf(args table) (kind, problem string) {
	f, _ := args.find(queueType)
	kind, ok := f.text()
	switch {
	case !ok:
		return "", wrongType(f)
	case kind == "":
		return "classic", ""
	case kind != "classic" && kind != "quorum":
		return kind, fmt.Sprintf("\"unsupported queue type '%s'\"", kind)
	}
	return kind, ""
}

// readTraits checks the arguments of queue.declare in RabbitMQ's order.
func readTraits(queue string, durable, autoDelete, exclusive bool, args table) (queueTraits, error) {
	t := queueTraits{
		durable: durable, autoDelete: autoDelete, deliveryLimit: defaultDeliveryLimit,
		messageTTL: -1, expiry: -1, maxLength: -1, maxBytes: -1, maxPriority: -1,
	}
	invalid := func(name, problem string) error {
		return fail(preconditionFailed, "invalid arg '%s' for %s: %s", name, queueNamed(queue), problem)
	}
	if f, ok := args.find("x-dead-letter-exchange"); ok && f.kind != 'S' {
		return t, fail(preconditionFailed, "invalid type '%s' for arg '%s' in %s", typeName(f.kind), f.name, queueNamed(queue))
	}
	kind, problem := kindOf(args)
	if problem != "" {
		return t, invalid(queueType, problem)
	}
	own := typeArguments[kind]
	for _, a := range queueArguments {
		f, ok := args.find(a.name)
		if !ok || !slices.Contains(own, a.name) {
			continue
		}
		if problem := a.set(&t, args, f); problem != "" {
			return t, invalid(a.name, problem)
		}
	}
	for _, f := range args {
		if !slices.Contains(own, f.name) && anyTypeKnows(f.name) {
			return t, fail(preconditionFailed, "invalid arg '%s' for %s of queue type rabbit_%s_queue", f.name, queueNamed(queue), kind)
		}
	}
	if t.quorum = kind == "quorum"; t.quorum {
		return t, t.quorumCan(queue, exclusive)
	}
	return t, nil
}

func anyTypeKnows(name string) bool {
	for _, names := range typeArguments {
		if slices.Contains(names, name) {
			return true
		}
	}
	return false
}

// quorumCan refuses properties that a quorum queue cannot have.
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
