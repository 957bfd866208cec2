package amqpbroker

import (
	"slices"
	"strings"
)

// exchange routes messages to queues and to other exchanges.
type exchange struct {
	name string
	kind string
	exchangeTraits
	args      table
	alternate string
	bindings  []*binding
}

type exchangeTraits struct {
	durable, autoDelete, internal bool
}

// binding leads from an exchange to a destination.
type binding struct {
	destination string
	toQueue     bool // otherwise to an exchange
	key         string
	words       []string // key, split for a topic exchange
	args        table
	match       headerMatch // args, read for a headers exchange
	identity    string      // unique within an exchange
}

// predeclared are the exchanges that every RabbitMQ has
// (https://www.rabbitmq.com/tutorials/amqp-concepts#exchanges).
func predeclared() map[string]*exchange {
	all := make(map[string]*exchange)
	for name, kind := range map[string]string{
		"": "direct", "amq.direct": "direct", "amq.fanout": "fanout", "amq.topic": "topic",
		"amq.headers": "headers", "amq.match": "headers", traceExchange: "topic",
	} {
		all[name] = &exchange{name: name, kind: kind, exchangeTraits: exchangeTraits{durable: true, internal: name == traceExchange}}
	}
	return all
}

func newBinding(destination string, toQueue bool, key string, args table) *binding {
	return &binding{
		destination: destination, toQueue: toQueue, key: key, args: args,
		identity: string(encoder{}.bit(toQueue).shortstr(destination).shortstr(key).table(args.sorted())),
		words:    topicWords(key),
		match:    readHeaderMatch(args),
	}
}

func (x *exchange) find(b *binding) int {
	return slices.IndexFunc(x.bindings, func(o *binding) bool { return o.identity == b.identity })
}

// matching calls f for each binding that m matches.
func (x *exchange) matching(m *message, f func(*binding)) {
	var words [][]string
	if x.kind == "topic" {
		for _, key := range m.keys {
			words = append(words, topicWords(key))
		}
	}
	for _, b := range x.bindings {
		var ok bool
		switch x.kind {
		case "fanout":
			ok = true
		case "direct":
			ok = slices.Contains(m.keys, b.key)
		case "topic":
			ok = slices.ContainsFunc(words, func(w []string) bool { return topicMatch(b.words, w) })
		case "headers":
			ok = b.match.matches(m.props.headers)
		}
		if ok {
			f(b)
		}
	}
}

// route finds the queues that a message goes to from x, each once, however many paths lead
// there. An exchange that leads nowhere passes the message to its alternate
// (https://www.rabbitmq.com/docs/ae).
func (b *Broker) route(x *exchange, m *message) []*queue {
	var queues []*queue
	reached := map[*queue]bool{}
	addQueue := func(name string) {
		if q, ok := b.queues[name]; ok && !reached[q] {
			reached[q] = true
			queues = append(queues, q)
		}
	}
	if x.name == "" {
		for _, key := range m.keys {
			addQueue(key)
		}
		return queues
	}
	seen := map[*exchange]bool{x: true}
	for todo := []*exchange{x}; len(todo) > 0; todo = todo[1:] {
		visit := func(name string) {
			if next, ok := b.exchanges[name]; ok && !seen[next] {
				seen[next] = true
				todo = append(todo, next)
			}
		}
		x, routed := todo[0], false
		x.matching(m, func(to *binding) {
			routed = true
			if to.toQueue {
				addQueue(to.destination)
			} else {
				visit(to.destination)
			}
		})
		if x.alternate != "" && !routed { // the default exchange cannot be an alternate
			visit(x.alternate)
		}
	}
	return queues
}

// unbind removes x's bindings that match, and x itself if that was the last binding of an
// auto-delete exchange.
func (b *Broker) unbind(x *exchange, match func(*binding) bool) {
	before := len(x.bindings)
	x.bindings = slices.DeleteFunc(x.bindings, match)
	if x.autoDelete && before > 0 && len(x.bindings) == 0 {
		b.deleteExchange(x)
	}
}

// unbindDestination removes the bindings that lead to a queue or an exchange that
// is gone.
func (b *Broker) unbindDestination(name string, queue bool) {
	for _, x := range b.exchanges {
		b.unbind(x, func(o *binding) bool { return o.toQueue == queue && o.destination == name })
	}
}

func (b *Broker) deleteExchange(x *exchange) {
	if b.exchanges[x.name] != x {
		return
	}
	delete(b.exchanges, x.name)
	x.bindings = nil
	b.unbindDestination(x.name, false)
}

// headerMatch is what a binding to a headers exchange requires.
type headerMatch struct {
	any    bool
	fields table
}

func readHeaderMatch(args table) headerMatch {
	f, _ := args.find("x-match")
	mode, _ := f.text()
	h := headerMatch{any: strings.HasPrefix(mode, "any")}
	for _, f := range args {
		if f.name != "x-match" && (strings.HasSuffix(mode, "-with-x") || !strings.HasPrefix(f.name, "x-")) {
			h.fields = append(h.fields, f)
		}
	}
	return h
}

// matches reports whether the headers meet the requirements. A field without a value only
// has to be present (AMQP 0-9-1 section 3.1.3.4). If a header is repeated, RabbitMQ looks
// at the last one, though it delivers the first. A time in a header counts as milliseconds.
func (h headerMatch) matches(headers table) bool {
	for _, want := range h.fields {
		got, ok := headers.findLast(want.name)
		if t, isTime := got.whole(); isTime && got.kind == 'T' {
			got = longField(got.name, 1000*t)
		}
		ok = ok && (want.kind == 'V' || sameValue(want, got))
		if ok == h.any {
			return ok
		}
	}
	return !h.any
}
