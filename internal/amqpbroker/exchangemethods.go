package amqpbroker

import (
	"slices"
	"strings"
)

func (ch *channel) exchangeBind(d *decoder) error {
	return ch.exchangeBinding(d, ch.bind, exchangeBindOk)
}

func (ch *channel) exchangeUnbind(d *decoder) error {
	return ch.exchangeBinding(d, ch.unbind, exchangeUnbindOk)
}

func (ch *channel) exchangeBinding(d *decoder, do func(string, *binding) error, ok methodID) error {
	d.u16()
	destination, source, key := cleanName(d.shortstr()), cleanName(d.shortstr()), d.shortstr()
	noWait := d.u8()&1 != 0
	args := d.table()
	if !d.done() {
		return errUndecodable
	}
	if destination == "" {
		return onDefaultExchange()
	}
	if err := do(source, newBinding(destination, false, key, args)); err != nil {
		return err
	}
	ch.answer(noWait, ok, nil)
	return nil
}

func onDefaultExchange() error {
	return fail(accessRefused, "operation not permitted on the default exchange")
}

func (ch *channel) bind(source string, to *binding) error {
	x, err := ch.ends(source, to)
	if err != nil {
		return err
	}
	if x.kind == "headers" {
		if err := checkMatch(to.args); err != nil {
			return err
		}
	}
	if x.find(to) < 0 {
		x.bindings = append(x.bindings, to)
	}
	return nil
}

// unbind removes a binding. In RabbitMQ, it is not an error if there is none, or if one of
// its ends is missing.
func (ch *channel) unbind(source string, to *binding) error {
	if source == "" {
		return onDefaultExchange()
	}
	x, ok := ch.broker.exchanges[source]
	if !ok {
		return nil
	}
	if q, ok := ch.broker.queues[to.destination]; ok && to.toQueue && q.owner != nil && q.owner != ch.conn {
		return locked(q.name)
	}
	if i := x.find(to); i >= 0 {
		found := x.bindings[i]
		ch.broker.unbind(x, func(o *binding) bool { return o == found })
	}
	return nil
}

// ends checks both ends of a binding and returns the source.
func (ch *channel) ends(source string, to *binding) (*exchange, error) {
	if source == "" {
		return nil, onDefaultExchange()
	}
	x, ok := ch.broker.exchanges[source]
	if !ok {
		return nil, noExchange(source)
	}
	if to.toQueue {
		_, err := ch.queue(to.destination)
		return x, err
	}
	if _, ok := ch.broker.exchanges[to.destination]; !ok {
		return nil, noExchange(to.destination)
	}
	return x, nil
}

func checkMatch(args table) error {
	f, ok := args.find("x-match")
	if !ok {
		return nil
	}
	mode, isText := f.text()
	switch {
	case !isText:
		return fail(preconditionFailed, "Invalid x-match field type %s (value %s); expected longstr", typeName(f.kind), f.show())
	case !slices.Contains([]string{"all", "any", "all-with-x", "any-with-x"}, mode):
		return fail(preconditionFailed, "Invalid x-match field value <<%q>>; expected all, any, all-with-x, or any-with-x", mode)
	}
	return nil
}

func (ch *channel) exchangeDeclare(d *decoder) error {
	d.u16()
	name, kind := cleanName(d.shortstr()), d.shortstr()
	bits := d.u8()
	args := d.table()
	if !d.done() {
		return errUndecodable
	}
	passive, noWait := bits&1 != 0, bits&16 != 0
	traits := exchangeTraits{durable: bits&2 != 0, autoDelete: bits&4 != 0, internal: bits&8 != 0}
	if name == "" {
		return onDefaultExchange()
	}
	x, exists := ch.broker.exchanges[name]
	switch {
	case passive && !exists:
		return noExchange(name)
	case passive:
	default:
		if err := ch.declareExchange(x, name, kind, traits, args); err != nil {
			return err
		}
	}
	ch.answer(noWait, exchangeDeclareOk, nil)
	return nil
}

func (ch *channel) declareExchange(x *exchange, name, kind string, traits exchangeTraits, args table) error {
	if !slices.Contains([]string{"direct", "fanout", "topic", "headers"}, kind) {
		what := "unknown"
		if kind == "" {
			what = "invalid"
		}
		return fail(preconditionFailed, "%s exchange type '%s'", what, kind)
	}
	if x != nil {
		return sameExchange(x, kind, traits, args)
	}
	if err := reserved("exchange", name); err != nil {
		return err
	}
	x = &exchange{name: name, kind: kind, exchangeTraits: traits, args: args}
	if f, ok := args.find("alternate-exchange"); ok {
		if x.alternate, ok = f.text(); !ok {
			return fail(preconditionFailed, "invalid type '%s' for arg 'alternate-exchange' in %s", typeName(f.kind), exchangeNamed(name))
		}
	}
	ch.broker.exchanges[name] = x
	return nil
}

func sameExchange(x *exchange, kind string, traits exchangeTraits, args table) error {
	what := exchangeNamed(x.name)
	if x.kind != kind {
		return fail(preconditionFailed, "inequivalent arg 'type' for %s: received '%s' but current is '%s'", what, kind, x.kind)
	}
	if err := sameFlag("durable", what, traits.durable, x.durable); err != nil {
		return err
	}
	if err := sameFlag("auto_delete", what, traits.autoDelete, x.autoDelete); err != nil {
		return err
	}
	if err := sameFlag("internal", what, traits.internal, x.internal); err != nil {
		return err
	}
	return sameArgument("alternate-exchange", what, args, x.args)
}

func (ch *channel) exchangeDelete(d *decoder) error {
	d.u16()
	name := cleanName(d.shortstr())
	bits := d.u8()
	if !d.done() {
		return errUndecodable
	}
	ifUnused, noWait := bits&1 != 0, bits&2 != 0
	switch {
	case name == "":
		return onDefaultExchange()
	case strings.HasPrefix(name, "amq."):
		return fail(accessRefused, "deletion of system %s not allowed", exchangeNamed(name))
	}
	if x, ok := ch.broker.exchanges[name]; ok { // deleting what does not exist is not an error in RabbitMQ
		if ifUnused && len(x.bindings) > 0 {
			return fail(preconditionFailed, "%s in use", exchangeNamed(name))
		}
		ch.broker.deleteExchange(x)
	}
	ch.answer(noWait, exchangeDeleteOk, nil)
	return nil
}
