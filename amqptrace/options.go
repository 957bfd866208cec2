package amqptrace

import (
	"context"

	amqp "github.com/rabbitmq/amqp091-go"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/mqtrace/mqtrace/internal/messaging"
)

// ScopeName is the name of the instrumentation scope of this package's spans and
// metrics.
const ScopeName = "github.com/mqtrace/mqtrace/amqptrace"

// Version is the version of this module, and of the instrumentation scope.
const Version = messaging.Version

// Option configures a [Publisher] or a [Consumer].
type Option interface {
	apply(*config)
}

type config struct {
	shared        messaging.Options
	address       string
	port          int
	filter        func(Message) bool
	relation      Relation
	bodySize      bool
	settleSpans   bool
	emptyReceives bool
	host          *amqp.Connection
	connection    *connection // of host
	attributesOf  func(Message) []attribute.KeyValue
}

type optionFunc func(*config)

func (f optionFunc) apply(c *config) { f(c) }

func newConfig(opts []Option) config {
	var c config
	for _, o := range opts {
		if o != nil {
			o.apply(&c)
		}
	}
	if c.host != nil {
		c.connection = connectionOf(c.host)
	}
	return c
}

func (c *config) instrumentation() *messaging.Instrumentation {
	identity := []attribute.KeyValue{system}
	if c.address != "" {
		identity = append(identity, messaging.ServerAddress(c.address))
		if c.port > 0 {
			identity = append(identity, messaging.ServerPort(c.port))
		}
	}
	return messaging.NewInstrumentation(ScopeName, c.shared, identity...)
}

// WithTracerProvider sets the tracer provider. A nil provider is ignored. By default, the
// global provider is used.
func WithTracerProvider(provider trace.TracerProvider) Option {
	return optionFunc(func(c *config) {
		if !messaging.IsNil(provider) {
			c.shared.TracerProvider = provider
		}
	})
}

// WithMeterProvider sets the meter provider. A nil provider is ignored. By default, the
// global provider is used.
func WithMeterProvider(provider metric.MeterProvider) Option {
	return optionFunc(func(c *config) {
		if !messaging.IsNil(provider) {
			c.shared.MeterProvider = provider
		}
	})
}

// WithPropagators sets the propagator that reads and writes the context in message headers.
// A nil propagator is ignored. By default, the global propagator is used.
func WithPropagators(propagators propagation.TextMapPropagator) Option {
	return optionFunc(func(c *config) {
		if !messaging.IsNil(propagators) {
			c.shared.Propagators = propagators
		}
	})
}

// WithAttributes adds attributes to every span, in addition to those of earlier uses of the
// option. Metrics do not get them. By default, spans have only the attributes of the
// semantic conventions and of this package.
func WithAttributes(attributes ...attribute.KeyValue) Option {
	return optionFunc(func(c *config) {
		c.shared.Attributes = append(c.shared.Attributes, attributes...)
	})
}

// WithMessageAttributes adds the attributes that attributesOf returns for a message, such
// as the tenant that a header names, to its spans except those of settlements, and to its
// link in a batch. attributesOf is called before the span starts, so that samplers see the
// attributes, for every message and from many goroutines. If it panics, the attributes are
// missing, and OpenTelemetry's error handler is called once. A nil function is ignored. By
// default, spans have no attributes from headers.
func WithMessageAttributes(attributesOf func(Message) []attribute.KeyValue) Option {
	return optionFunc(func(c *config) {
		if attributesOf != nil {
			c.attributesOf = attributesOf
		}
	})
}

// Exception is a failed operation as the conventions describe it in a log record: an event
// with this name and severity number and the attributes exception.type, exception.message
// and exception.stacktrace. The stack trace is that of a panic, and empty for an error that
// was returned. https://opentelemetry.io/docs/specs/semconv/messaging/messaging-exceptions/
type Exception struct {
	Event      string
	Severity   int // 13, WARN, or for processing 17, ERROR
	Type       string
	Message    string
	Stacktrace string
}

// WithExceptions calls record for each operation that has failed with an error or a panic,
// with a context that has its span, so that a log record can be correlated with it. Spans
// have no exception events: the conventions record exceptions as logs. The option takes a
// function rather than a LoggerProvider because that would add OpenTelemetry's log module
// to every program that imports this one; docs/operating.md shows how to connect the two.
// record must not block, and a panic in it is ignored. A nil function is ignored. By
// default, nothing is called.
func WithExceptions(record func(context.Context, Exception)) Option {
	return optionFunc(func(c *config) {
		if record != nil {
			c.shared.Exceptions = func(ctx context.Context, e messaging.Exception) { record(ctx, Exception(e)) }
		}
	})
}

// WithFilter limits spans and metrics to messages for which filter returns true. The others
// still propagate their trace: a publisher puts the caller's context into them and a
// consumer's handler gets the context they came with. If filter panics, the message is
// traced, and OpenTelemetry's error handler is called once. A nil filter is ignored. By
// default, every message is traced.
func WithFilter(filter func(Message) bool) Option {
	return optionFunc(func(c *config) {
		if filter != nil {
			c.filter = filter
		}
	})
}

// WithQueueTime makes publishers stamp each message with the time of sending (the header
// mqtrace-sent-at, in microseconds since 1970) and consumers report the time from then to
// the start of processing, in seconds, as the metric and span attribute mqtrace.queue_time.
// Without a stamp, the message's timestamp property, which has whole seconds, is used if it
// is at least 5 s old.
//
// The time counts from the publish, so for a message that was requeued or dead-lettered it
// includes all its time in queues; mqtrace.attempt and mqtrace.dead_letter.times identify
// such messages.
//
// The two times are from the clocks of two machines: the result is off by their difference.
// A negative time is reported as 0. A producer can write any time it likes, so do not rely
// on the age of messages from untrusted producers. By default, nothing is stamped or
// reported.
func WithQueueTime() Option {
	return optionFunc(func(c *config) { c.shared.QueueTime = true })
}

// WithRelation decides for each consumed message whether its span continues the message's
// trace or starts a new one: [ContinueTrace], [NewTrace], [ContinueWithin],
// [ContinueUnlessAsked] or a function of your own. The message's creation context is linked
// and its baggage handed on in every case. A nil relation is ignored, and a publisher
// ignores the option. By default, ContinueTrace.
func WithRelation(relation Relation) Option {
	return optionFunc(func(c *config) {
		if relation != nil {
			c.relation = relation
		}
	})
}

// WithBaggageKeys passes only the named members of the baggage, into messages as well as
// out of them; none if no key is given. Baggage that is already in the consumer's context
// is not affected. By default, all baggage passes.
func WithBaggageKeys(keys ...string) Option {
	return optionFunc(func(c *config) {
		c.shared.LimitBaggage = true
		c.shared.BaggageKeys = append(c.shared.BaggageKeys, keys...)
	})
}

// WithServer sets the broker's address (server.address), a host name or an IP
// address, and port (server.port); a port of 0 is left out, and so are both if the address
// is empty. It is needed because an amqp.Channel does not expose its connection. By default,
// spans and metrics have neither.
func WithServer(address string, port int) Option {
	return optionFunc(func(c *config) { c.address, c.port = address, port })
}

// WithConnection sets the broker's address and port as [WithServer] does, on spans and
// metrics, and adds the address and port at the other end (network.peer.address and .port)
// and the virtual host (mqtrace.virtual_host) to spans. They follow the connection when
// amqp091-go recovers it; one that is being recovered when a publisher or consumer first
// uses it has none until it is open again. With TLS the address is the name that the
// broker's certificate was verified for, else an IP address, since the connection does not
// expose the name that was dialled. If WithServer is used too, its address and port take
// precedence. A nil connection is ignored. By default, spans and metrics have none of
// these.
func WithConnection(conn *amqp.Connection) Option {
	return optionFunc(func(c *config) {
		if conn != nil {
			c.host = conn
		}
	})
}

// WithSettleSpans gives each ack, nack and reject a CLIENT span of its own and a point of
// messaging.client.operation.duration. AMQP settlements are not answered, so such a span
// adds little to the settlement that the process span records, and it doubles the number of
// a consumer's spans. A publisher ignores the option. By default, only settlements that
// come after their process span has ended get one.
func WithSettleSpans() Option {
	return optionFunc(func(c *config) { c.settleSpans = true })
}

// WithEmptyReceives gives [Consumer.Get] a span even if the queue was empty. The other
// methods of a consumer, and a publisher, ignore the option. By default, Get has a span
// only if there was a message or an error.
func WithEmptyReceives() Option {
	return optionFunc(func(c *config) { c.emptyReceives = true })
}

// WithBodySize adds the size of the body in bytes (messaging.message.body.size) to the
// spans of messages, and to the links of a batch. Spans of settlements never have it. By
// default, it is left out.
func WithBodySize() Option {
	return optionFunc(func(c *config) { c.bodySize = true })
}
