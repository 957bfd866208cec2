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

// WithTracerProvider sets where spans go. A nil provider is ignored. By default,
// the global provider is used.
func WithTracerProvider(provider trace.TracerProvider) Option {
	return optionFunc(func(c *config) {
		if provider != nil {
			c.shared.TracerProvider = provider
		}
	})
}

// WithMeterProvider sets where metrics go. A nil provider is ignored. By default,
// the global provider is used.
func WithMeterProvider(provider metric.MeterProvider) Option {
	return optionFunc(func(c *config) {
		if provider != nil {
			c.shared.MeterProvider = provider
		}
	})
}

// WithPropagators sets what reads and writes the context in message headers. A nil
// propagator is ignored. By default, the global propagator is used.
func WithPropagators(propagators propagation.TextMapPropagator) Option {
	return optionFunc(func(c *config) {
		if propagators != nil {
			c.shared.Propagators = propagators
		}
	})
}

// WithAttributes adds attributes to every span, in addition to those of earlier
// uses of the option. Metrics do not get them. By default, spans have the attributes
// of the semantic conventions and of this package only.
func WithAttributes(attributes ...attribute.KeyValue) Option {
	return optionFunc(func(c *config) {
		c.shared.Attributes = append(c.shared.Attributes, attributes...)
	})
}

// WithMessageAttributes adds the attributes that attributesOf returns for a message to its
// spans, the links of batches included, but not to those of settlements: for instance of a
// header that names a tenant. It is called before the span starts, so that samplers see them,
// for every message and from many goroutines. If it panics, the attributes are missing, which
// OpenTelemetry's error handler hears of once. A nil function is ignored. By default, spans
// have no attributes of headers.
func WithMessageAttributes(attributesOf func(Message) []attribute.KeyValue) Option {
	return optionFunc(func(c *config) {
		if attributesOf != nil {
			c.attributesOf = attributesOf
		}
	})
}

// Exception is a failed operation as the conventions have it in a log record: an event of
// this name and severity number, with the attributes exception.type, exception.message and
// exception.stacktrace. The stack is that of a call that did not return, and empty where an
// error was returned, which has none.
// https://opentelemetry.io/docs/specs/semconv/messaging/messaging-exceptions/
type Exception struct {
	Event      string
	Severity   int // 13, WARN, or for processing 17, ERROR
	Type       string
	Message    string
	Stacktrace string
}

// WithExceptions calls record for each operation that has failed with an error or a panic,
// with a context that has its span, for a log record that is correlated with it. Spans have
// no exception events: the conventions record exceptions as logs. It is a function, and no
// LoggerProvider, since OpenTelemetry's module for logs would be raised in every program that
// imports this one; docs/operating.md has the few lines between them. It must not block, and
// a panic in it is ignored. A nil function is ignored. By default, nothing is called.
func WithExceptions(record func(context.Context, Exception)) Option {
	return optionFunc(func(c *config) {
		if record != nil {
			c.shared.Exceptions = func(ctx context.Context, e messaging.Exception) { record(ctx, Exception(e)) }
		}
	})
}

// WithFilter lets only messages for which filter returns true have spans and
// metrics. The others still carry their trace on: a publisher puts the caller's
// context into them and a consumer's handler gets the context they came with. A nil
// filter is ignored. By default, every message is traced.
func WithFilter(filter func(Message) bool) Option {
	return optionFunc(func(c *config) {
		if filter != nil {
			c.filter = filter
		}
	})
}

// WithQueueTime has publishers stamp each message with the time of its sending (the
// header mqtrace-sent-at, in microseconds since 1970) and consumers report the time
// from there to the start of the processing, in seconds, as the metric and span
// attribute mqtrace.queue_time. Without a stamp the message's timestamp property is
// used, which has whole seconds, where it is 5 s or more ago.
//
// The time is that since the message was published. A message that was requeued or came by
// way of dead-letter queues has all of its time there in it; mqtrace.attempt and
// mqtrace.dead_letter.times tell such messages apart.
//
// The two times are of different clocks: what is reported is off by as much as those
// of the two machines differ. A negative time is reported as 0. A producer can write
// any time it likes, so do not decide on the age of messages from producers that are
// not trusted. By default, nothing is stamped or reported.
func WithQueueTime() Option {
	return optionFunc(func(c *config) { c.shared.QueueTime = true })
}

// WithRelation decides for each consumed message whether its span continues the
// trace of the message or starts one of its own: [ContinueTrace], [NewTrace],
// [ContinueWithin] or a function of your own. The message's creation context is
// linked and its baggage handed on in every case. A nil relation is ignored, and a
// publisher ignores the option. By default, ContinueTrace.
func WithRelation(relation Relation) Option {
	return optionFunc(func(c *config) {
		if relation != nil {
			c.relation = relation
		}
	})
}

// WithBaggageKeys lets only the named members of the baggage pass, into messages as
// well as out of them; none where no key is given. Baggage that the consumer's
// context has by itself is not touched. By default, all baggage passes.
func WithBaggageKeys(keys ...string) Option {
	return optionFunc(func(c *config) {
		c.shared.LimitBaggage = true
		c.shared.BaggageKeys = append(c.shared.BaggageKeys, keys...)
	})
}

// WithServer sets the broker's address (server.address), a host name or an IP
// address, and port (server.port); a port of 0 is left out. It is needed because an
// amqp.Channel does not expose its connection. By default, spans and metrics have
// neither.
func WithServer(address string, port int) Option {
	return optionFunc(func(c *config) { c.address, c.port = address, port })
}

// WithConnection sets the broker's address and port as [WithServer] does, on spans and
// metrics, and adds the address and port at the other end (network.peer.address and .port)
// and the virtual host (mqtrace.virtual_host) to spans. They are those of the connection,
// also after amqp091-go has recovered it. The address is the name that the certificate of
// the broker was verified for, and without TLS an IP address, since the connection does not
// tell what was dialled. If WithServer is used too, its address and port count. A nil connection is ignored. By default, spans and metrics have none of these.
func WithConnection(conn *amqp.Connection) Option {
	return optionFunc(func(c *config) {
		if conn != nil {
			c.host = conn
		}
	})
}

// WithSettleSpans gives each ack, nack and reject a CLIENT span of its own and a
// point of messaging.client.operation.duration. AMQP's settlements are written and
// not answered, so such a span adds little to the settlement that the process span
// records, and it doubles the number of a consumer's spans. A publisher ignores the
// option. By default, only settlements that come after their process span has ended have
// a span.
func WithSettleSpans() Option {
	return optionFunc(func(c *config) { c.settleSpans = true })
}

// WithEmptyReceives gives [Consumer.Get] a span also if the queue was empty. The other
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
