package tap

import (
	"cmp"
	"net"
	"slices"
	"strings"

	"go.opentelemetry.io/otel/attribute"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"github.com/mqtrace/mqtrace/internal/amqphistory"
	"github.com/mqtrace/mqtrace/internal/messaging"
)

// Every attribute key of this package is in this file.

// ScopeName is the instrumentation scope of a tap's spans.
const ScopeName = "github.com/mqtrace/mqtrace/cmd/mqtrace/internal/tap"

// The two operations of a broker.
const (
	operationRoute   = "route"
	operationDeliver = "deliver"
)

// Attributes that OpenTelemetry has no name for.
const (
	queuesKey            = attribute.Key("mqtrace.routing.queues")
	queueCountKey        = attribute.Key("mqtrace.routing.queue_count")
	redeliveredKey       = attribute.Key("mqtrace.redelivered")
	nodeKey              = attribute.Key("mqtrace.broker.node")
	deadLetterCountKey   = attribute.Key("mqtrace.dead_letter.count")
	deadLetterQueuesKey  = attribute.Key("mqtrace.dead_letter.queues")
	deadLetterReasonsKey = attribute.Key("mqtrace.dead_letter.reasons")
)

// defaultExchange is the name used for the default exchange, which has none.
const defaultExchange = "amq.default"

// errorTypeUnroutable is the error type of a message for which there was no queue.
const errorTypeUnroutable = "unroutable"

// maxQueues is how many of the queues that a message was routed to are on its span.
const maxQueues = 32

func (r *record) operation() string {
	if r.delivered {
		return operationDeliver
	}
	return operationRoute
}

// spanName never contains a generated name.
func (r *record) spanName() string {
	name := r.exchange
	if r.delivered {
		name = r.queue
	}
	if strings.HasPrefix(name, "amq.gen-") {
		name = "amq.gen-*"
	}
	return r.operation() + " " + messaging.ValidText(cmp.Or(name, defaultExchange))
}

// destination returns OpenTelemetry's name for where a message goes.
// https://opentelemetry.io/docs/specs/semconv/messaging/rabbitmq/
func (r *record) destination() string {
	parts := []string{r.exchange, r.key}
	if r.queue != r.key {
		parts = append(parts, r.queue)
	}
	parts = slices.DeleteFunc(parts, func(s string) bool { return s == "" })
	return cmp.Or(strings.Join(parts, ":"), defaultExchange)
}

func (r *record) attributes(server []attribute.KeyValue) []attribute.KeyValue {
	attrs := make([]attribute.KeyValue, 0, 16)
	attrs = append(attrs, semconv.MessagingSystemRabbitMQ, semconv.MessagingOperationName(r.operation()),
		messaging.DestinationName(r.destination()))
	attrs = append(attrs, server...)
	if r.key != "" {
		attrs = append(attrs, messaging.Text(semconv.MessagingRabbitMQDestinationRoutingKeyKey, r.key))
	}
	if r.messageID != "" {
		attrs = append(attrs, messaging.MessageID(r.messageID))
	}
	if r.correlation != "" {
		attrs = append(attrs, messaging.ConversationID(r.correlation))
	}
	if r.node != "" {
		attrs = append(attrs, messaging.Text(nodeKey, r.node))
	}
	if r.client.IP != nil {
		attrs = append(attrs, semconv.ClientAddress(r.client.IP.String()), semconv.ClientPort(r.client.Port))
	}
	if r.delivered {
		return append(attrs, r.deliveryAttributes()...)
	}
	return append(attrs, r.routingAttributes()...)
}

func (r *record) routingAttributes() []attribute.KeyValue {
	shown := make([]string, 0, min(len(r.routed), maxQueues))
	for _, q := range r.routed[:cap(shown)] {
		shown = append(shown, messaging.ValidText(q))
	}
	attrs := []attribute.KeyValue{queueCountKey.Int(len(r.routed)), queuesKey.StringSlice(shown)}
	if r.unroutable() {
		attrs = append(attrs, semconv.ErrorTypeKey.String(errorTypeUnroutable))
	}
	return attrs
}

func (r *record) deliveryAttributes() []attribute.KeyValue {
	h := amqphistory.Read(r.headers, r.queue, r.redelivered)
	attrs := []attribute.KeyValue{redeliveredKey.Bool(r.redelivered), messaging.Attempt(h.Attempt)}
	if h.Count == 0 {
		return attrs
	}
	queues, reasons := make([]string, len(h.Deaths)), make([]string, len(h.Deaths))
	for i, d := range h.Deaths {
		queues[i], reasons[i] = messaging.ValidText(d.Queue), messaging.ValidText(d.Reason)
	}
	return append(attrs, deadLetterCountKey.Int64(h.Count), deadLetterQueuesKey.StringSlice(queues), deadLetterReasonsKey.StringSlice(reasons))
}

// serverAttributes returns the broker's attributes, the same on every span.
func serverAttributes(address string, port int) []attribute.KeyValue {
	if address == "" {
		return nil
	}
	if ip := net.ParseIP(address); ip != nil {
		address = ip.String()
	}
	return []attribute.KeyValue{messaging.ServerAddress(address), messaging.ServerPort(port)}
}
