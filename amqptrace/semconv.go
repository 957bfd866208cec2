package amqptrace

import (
	"strings"

	"go.opentelemetry.io/otel/attribute"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"github.com/mqtrace/mqtrace/internal/messaging"
)

// Every attribute key and naming rule of this package is in this file, after
// OpenTelemetry's page for RabbitMQ: version 1.45 of the conventions renames some of them.
// https://opentelemetry.io/docs/specs/semconv/messaging/rabbitmq/

var system = semconv.MessagingSystemRabbitMQ

// settlementKey is the attribute of a process span that records how the handler
// settled the message.
const settlementKey = attribute.Key("mqtrace.settlement")

// virtualHostKey is the virtual host of a span's connection. The conventions have no name
// for it.
const virtualHostKey = attribute.Key("mqtrace.virtual_host")

// publishOutcomeKey is the attribute of a publish span that records the broker's answer.
const publishOutcomeKey = attribute.Key("mqtrace.publish.outcome")

// The dead-letter history of a message, on its process span. The arrays have an entry
// for each queue and reason, newest first, at most amqphistory.MaxDeaths.
const (
	deadLetterCountKey   = attribute.Key("mqtrace.dead_letter.count")
	deadLetterQueuesKey  = attribute.Key("mqtrace.dead_letter.queues")
	deadLetterReasonsKey = attribute.Key("mqtrace.dead_letter.reasons")
	deadLetterCountsKey  = attribute.Key("mqtrace.dead_letter.counts")
	deadLetterTimesKey   = attribute.Key("mqtrace.dead_letter.times")
)

// errorTypeRejected is the error type of a message that its consumer gave up.
const errorTypeRejected = "rejected"

func routingKey(key string) attribute.KeyValue {
	return messaging.Text(semconv.MessagingRabbitMQDestinationRoutingKeyKey, key)
}

// appendTag appends the attribute of a delivery tag. RabbitMQ's tags begin at 1: 0 means
// that the delivery did not come from a channel.
func appendTag(attributes []attribute.KeyValue, tag uint64) []attribute.KeyValue {
	if tag == 0 {
		return attributes
	}
	return append(attributes, semconv.MessagingRabbitMQMessageDeliveryTag(int(tag)))
}

// defaultExchange is the destination name of AMQP's default exchange, whose own name is the
// empty string.
const defaultExchange = "amq.default"

// destinationName joins the non-empty parts of a destination with colons. A queue that
// equals the routing key, as with the default exchange, is not named twice.
func destinationName(exchange, key, queue string) string {
	if queue == key {
		queue = ""
	}
	if exchange != "" && key != "" && queue != "" {
		return exchange + ":" + key + ":" + queue // the usual case, in one allocation
	}
	name := exchange
	for _, part := range [...]string{key, queue} {
		switch {
		case part == "":
		case name == "":
			name = part
		default:
			name += ":" + part
		}
	}
	if name == "" {
		return defaultExchange
	}
	return name
}

// publishDestination is the part of a destination that appears in the names of publish
// spans: the exchange, or the template of generated queue names.
func publishDestination(exchange, key string) messaging.Destination {
	switch template := destinationTemplate(key); {
	case exchange != "":
		return messaging.Destination{Name: exchange}
	case template != "":
		return messaging.Destination{Name: template, Template: true}
	default:
		return messaging.Destination{Name: defaultExchange}
	}
}

// consumeDestination is the part of a queue's name that may appear in a span's name.
func consumeDestination(queue string) messaging.Destination {
	if queue == replyQueue { // replies are sent to an address of it
		return messaging.Destination{Name: replyTemplate, Template: true}
	}
	if template := destinationTemplate(queue); template != "" {
		return messaging.Destination{Name: template, Template: true}
	}
	return messaging.Destination{Name: queue}
}

// appendDestination appends the attributes of a destination that span names call d. If its
// full name differs, the template connects the two.
func appendDestination(
	attributes []attribute.KeyValue, d messaging.Destination, name, key string,
) []attribute.KeyValue {
	attributes = append(attributes, messaging.DestinationName(name))
	if name != d.Name && d.Name != "" {
		attributes = append(attributes, messaging.DestinationTemplate(d.Name))
	}
	if d.Template {
		attributes = append(attributes, messaging.DestinationAnonymous())
		if d.Name == replyTemplate {
			attributes = append(attributes, messaging.DestinationTemporary())
		}
	}
	if key != "" {
		attributes = append(attributes, routingKey(key))
	}
	return attributes
}

// Prefixes of names that a broker generates for each declaration or request.
var generatedPrefixes = [...]string{
	"amq.gen-",  // queues declared without a name
	replyPrefix, // direct reply-to addresses
}

const (
	replyQueue    = "amq.rabbitmq.reply-to" // what direct replies are consumed from
	replyPrefix   = replyQueue + "."
	replyTemplate = replyPrefix + "*"
)

// destinationTemplate returns a low-cardinality name for a generated name, or "" for any
// other name.
func destinationTemplate(name string) string {
	if !strings.HasPrefix(name, "amq.") {
		return ""
	}
	for _, prefix := range generatedPrefixes {
		if strings.HasPrefix(name, prefix) {
			return prefix + "*"
		}
	}
	return ""
}
