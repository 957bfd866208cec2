package messaging

import (
	"cmp"
	"slices"
	"strings"

	"go.opentelemetry.io/otel/trace"

	"github.com/mqtrace/mqtrace/internal/traceview/spans"
)

// Destination is where a message went to or came from, each part "" where it is not
// known. Names that brokers make up are folded to one.
type Destination struct {
	Queue, Exchange, Key string
}

// String is what a person calls the destination: the queue, else the exchange.
func (d Destination) String() string { return cmp.Or(d.Queue, d.Exchange) }

// DestinationOf returns the span's destination.
//
// mqtrace and OpenTelemetry's conventions for RabbitMQ name it exchange:key:queue, parts
// that are empty left out, and the queue where it has the name of the key. Others have
// the exchange alone in the attribute, on both sides, and the queue in the span's name.
func DestinationOf(s *spans.Span) Destination {
	if !Concerns(s) {
		return Destination{}
	}

	name := cmp.Or(s.Attributes.Text(keyDestination), s.Attributes.Text(keyDestinationOld))

	var d Destination
	if exchanges(s) {
		d = rabbit(s, name)
	} else {
		d.Queue = cmp.Or(s.Attributes.Text(keyTemplate), name, fromName(s))
	}

	d.Queue, d.Exchange, d.Key = fold(d.Queue), fold(d.Exchange), fold(d.Key)

	if v, _ := s.Attributes.Get(keyAnonymous); v == true && s.Attributes.Text(keyTemplate) == "" && !strings.HasSuffix(d.Queue, "*") {
		d.Queue = "(anonymous)"
	}

	return d
}

// RawDestination is the whole destination with nothing folded, by which two queues of
// one exchange are told apart.
func RawDestination(s *spans.Span) string {
	return cmp.Or(s.Attributes.Text(keyDestination), s.Attributes.Text(keyDestinationOld))
}

// Has reports whether the span's message went to, came from, or was given up in what a
// person calls so: a queue, an exchange, a routing key, or all of them.
func Has(s *spans.Span, name string) bool {
	if !Concerns(s) || name == "" {
		return false
	}

	d := DestinationOf(s)
	if d.Queue == name || d.Exchange == name || d.Key == name {
		return true
	}

	raw := RawDestination(s)
	if raw == name {
		return true
	}

	for part := range strings.SplitSeq(raw, ":") {
		if part == name {
			return true
		}
	}

	return slices.Contains(DeadLetterQueues(s), name)
}

// exchanges reports whether the destination may be that of a broker with exchanges. A
// span that does not name its system may be of any.
func exchanges(s *spans.Span) bool {
	switch strings.ToLower(System(s)) {
	case "", "rabbitmq", "amqp", "rabbit":
		return true
	default:
		return false
	}
}

func rabbit(s *spans.Span, name string) Destination {
	d := Destination{Key: cmp.Or(s.Attributes.Text(keyRoutingKey), s.Attributes.Text(keyRoutingKeyNew), s.Attributes.Text(keyRoutingKeyOld))}

	if isDefault(name) {
		name = d.Key
	}

	template := s.Attributes.Text(keyTemplate)

	if OperationOf(s) == Send {
		d.Exchange, d.Queue = sent(s, name, d.Key)
		if d.Queue == "" && template != "" {
			d.Exchange = template
		}

		return d
	}

	d.Exchange, d.Queue = received(name, d.Key)
	d.Queue = cmp.Or(template, fromName(s), d.Queue)

	return d
}

// sent distinguishes an exchange from a queue that a publisher names. What goes through the
// default exchange has its queue for a key.
func sent(s *spans.Span, name, key string) (exchange, queue string) {
	switch kind := s.Attributes.Text(keyDestinationKind); {
	case name == "" && System(s) == "": // whatever its system calls it
		return "", fromName(s)
	case name == "":
		return fromName(s), ""
	case key != "" && name == key, kind == "queue":
		return "", name
	case key != "":
		return strings.TrimSuffix(name, ":"+key), ""
	case System(s) == "" && kind == "":
		return "", name
	default:
		exchange, _, _ = strings.Cut(name, ":")

		return exchange, ""
	}
}

// received takes exchange:key:queue apart.
func received(name, key string) (exchange, queue string) {
	if key != "" {
		if before, after, ok := strings.Cut(name, key+":"); ok && (before == "" || strings.HasSuffix(before, ":")) {
			return strings.TrimSuffix(before, ":"), after
		}

		if before, ok := strings.CutSuffix(name, ":"+key); ok {
			return before, key
		}
	}

	if i := strings.LastIndexByte(name, ':'); i >= 0 {
		exchange, _, _ = strings.Cut(name, ":")

		return exchange, name[i+1:]
	}

	return "", name
}

func isDefault(exchange string) bool {
	switch exchange {
	case "", "amq.default", "<default>", "(default)", "default":
		return true
	default:
		return false
	}
}

// fold gives names that a broker has made up one name for all of them.
func fold(name string) string {
	for _, made := range []string{"amq.gen-", "amq.rabbitmq.reply-to."} {
		if strings.HasPrefix(name, made) {
			return made + "*"
		}
	}

	return name
}

// fromName is the destination in a span's name of the form that the conventions give
// it, "{operation} {destination}", or gave it before, "{destination} {operation}". The
// operation is that of the span's attributes, else one that goes with its kind.
func fromName(s *spans.Span) string {
	words := []string{
		s.Attributes.Text(keyOperationName), s.Attributes.Text(keyOperationBefore), s.Attributes.Text(keyOperationType),
	}

	switch s.Kind {
	case trace.SpanKindProducer:
		words = append(words, "publish", "enqueue", "send")
	case trace.SpanKindConsumer:
		words = append(words, "process", "consume", "deliver", "receive")
	default:
	}

	for _, word := range words {
		if word == "" {
			continue
		}

		rest, ok := strings.CutPrefix(s.Name, word+" ")
		if !ok {
			rest, ok = strings.CutSuffix(s.Name, " "+word)
		}

		// Beside an attribute that has the destination, what has words in it was named
		// by a person.
		if ok && !isDefault(rest) && (RawDestination(s) == "" || !strings.Contains(rest, " ")) {
			return rest
		}
	}

	return ""
}
