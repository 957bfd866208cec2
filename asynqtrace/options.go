package asynqtrace

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/mqtrace/mqtrace/internal/messaging"
)

// ScopeName is the name of the instrumentation scope of this package's spans and
// metrics.
const ScopeName = "github.com/mqtrace/mqtrace/asynqtrace"

// Version is the version of this module, and of the instrumentation scope.
const Version = messaging.Version

// Option configures a [Client], a [Worker] with its middleware and config,
// [SchedulerOpts] or [ObserveQueues].
type Option interface {
	apply(*config)
}

type config struct {
	shared                 messaging.Options
	filter                 func(Message) bool
	relation               Relation
	errorOnlyWhenExhausted bool
	server                 server
	attributesOf           func(Message) []attribute.KeyValue
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
	return c
}

func (c *config) instrumentation() *messaging.Instrumentation {
	return messaging.NewInstrumentation(ScopeName, c.shared, append(c.server.attributes(), system)...)
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

// WithPropagators sets the propagator that reads and writes the context in task headers. A
// nil propagator is ignored. By default, the global propagator is used.
func WithPropagators(propagators propagation.TextMapPropagator) Option {
	return optionFunc(func(c *config) {
		if !messaging.IsNil(propagators) {
			c.shared.Propagators = propagators
		}
	})
}

// WithAttributes adds attributes to every span, in addition to those of earlier uses of the
// option. Metrics do not get them. By default, spans have only the attributes of the
// semantic conventions and of the task.
func WithAttributes(attributes ...attribute.KeyValue) Option {
	return optionFunc(func(c *config) {
		c.shared.Attributes = append(c.shared.Attributes, attributes...)
	})
}

// WithMessageAttributes adds the attributes that attributesOf returns for a task, such as
// the tenant that a header names, to the spans of its enqueue and of its attempts, and to
// its link in the span of a group. attributesOf is called before the span starts, so that
// samplers see the attributes, for every task and from many goroutines. If it panics, the
// attributes are missing, and OpenTelemetry's error handler is called once. A nil function
// is ignored. By default, spans have no attributes from headers.
func WithMessageAttributes(attributesOf func(Message) []attribute.KeyValue) Option {
	return optionFunc(func(c *config) {
		if attributesOf != nil {
			c.attributesOf = attributesOf
		}
	})
}

// messageAttributes returns the attributes that the user's function has for a task.
func (c *config) messageAttributes(m Message) (attributes []attribute.KeyValue) {
	if c.attributesOf == nil {
		return nil
	}
	defer messaging.RecoverAttributes(ScopeName)
	return c.attributesOf(m)
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

// WithFilter limits spans and metrics to tasks for which filter returns true. The others
// still propagate their trace: a client puts the caller's context into them and a handler
// gets the context they came with. If filter panics, the task is traced, and
// OpenTelemetry's error handler is called once. A nil filter is ignored. By default, every
// task is traced.
func WithFilter(filter func(Message) bool) Option {
	return optionFunc(func(c *config) {
		if filter != nil {
			c.filter = filter
		}
	})
}

// WithQueueTime makes clients, schedulers and group aggregators stamp each task with the
// time of its enqueue (the header mqtrace-sent-at, in microseconds since 1970) and workers
// report the time from then to the start of processing, in seconds, as the metric and span
// attribute mqtrace.queue_time. It includes a requested delay, as with asynq.ProcessIn, and
// the time until a retry. asynq itself keeps no such time, so without a stamp nothing is
// reported.
//
// The two times are from the clocks of two machines: the result is off by their difference.
// A negative time is reported as 0. By default, nothing is reported, and only tasks that
// are enqueued with a delay are stamped, for [ContinueWithin].
func WithQueueTime() Option {
	return optionFunc(func(c *config) { c.shared.QueueTime = true })
}

// WithRelation decides for each attempt whether its span continues the task's trace or
// starts a new one: [ContinueTrace], [NewTrace], [ContinueWithin], [ContinueUnlessAsked] or
// a function of your own. The task's creation context is linked and its baggage handed on
// in every case. A nil relation is ignored; [NewClient], [SchedulerOpts] and [Inject]
// ignore the option. By default, ContinueTrace.
func WithRelation(relation Relation) Option {
	return optionFunc(func(c *config) {
		if relation != nil {
			c.relation = relation
		}
	})
}

// WithBaggageKeys passes only the named members of the baggage, into tasks as well as out
// of them; none if no key is given. Baggage that is already in asynq's base context is not
// affected. By default, all baggage passes.
func WithBaggageKeys(keys ...string) Option {
	return optionFunc(func(c *config) {
		c.shared.LimitBaggage = true
		c.shared.BaggageKeys = append(c.shared.BaggageKeys, keys...)
	})
}

// WithErrorOnlyWhenExhausted makes only the failed attempt after which asynq gives a
// task up an error, on its span and in the metrics. An attempt that will be tried
// again has the status Unset and no error.type; asynq.task.outcome says how it ended.
// Samplers and alerts that go by errors then see only tasks that need attention.
// [NewClient], [SchedulerOpts] and [Inject] ignore the option. By default, every failed
// attempt is an error.
func WithErrorOnlyWhenExhausted() Option {
	return optionFunc(func(c *config) { c.errorOnlyWhenExhausted = true })
}
