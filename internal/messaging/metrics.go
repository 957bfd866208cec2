package messaging

import (
	"context"
	"errors"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// buckets are the boundaries, in seconds, that the conventions give for durations.
// The generated constructors do not set them.
// https://opentelemetry.io/docs/specs/semconv/messaging/messaging-metrics/
var buckets = metric.WithExplicitBucketBoundaries(
	0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10)

// instruments are the metrics of one instrumentation scope. They do not depend on
// sampling.
type instruments struct {
	operationDuration metric.Float64Histogram
	processDuration   metric.Float64Histogram
	queueTime         metric.Float64Histogram
	sent              metric.Int64Counter
	consumed          metric.Int64Counter
	withoutContext    metric.Int64Counter
	settled           metric.Int64Counter
}

// newInstruments never fails: an instrument that the provider refuses is a no-op, and the
// reason is reported to OpenTelemetry's error handler.
func newInstruments(meter metric.Meter) instruments {
	var i instruments
	var errs [7]error
	i.operationDuration, errs[0] = newOperationDuration(meter)
	i.processDuration, errs[1] = newProcessDuration(meter)
	i.sent, errs[2] = newSentMessages(meter)
	i.consumed, errs[3] = newConsumedMessages(meter)
	i.queueTime, errs[4] = meter.Float64Histogram(queueTimeName, buckets, metric.WithUnit("s"),
		metric.WithDescription("Time from the sending of a message to the start of its processing, by the two machines' clocks."))
	i.withoutContext, errs[5] = meter.Int64Counter(withoutContextName, metric.WithUnit("{message}"),
		metric.WithDescription("Number of delivered messages with no trace context, or none that could be read."))
	i.settled, errs[6] = meter.Int64Counter(settledName, metric.WithUnit("{message}"),
		metric.WithDescription("Number of processed messages, by what became of them."))
	if err := errors.Join(errs[:]...); err != nil {
		Report(err)
	}
	return i
}

// A Destination is the low-cardinality part of a destination: an exchange, a queue, or the
// template of generated names.
type Destination struct {
	Name     string
	Template bool // Name stands for many
}

func (d Destination) attribute() attribute.KeyValue {
	if d.Template {
		return DestinationTemplate(d.Name)
	}
	return DestinationName(d.Name)
}

// A Point has the attributes of a metric point that its operation does not determine.
type Point struct {
	Destination

	Server    *Server
	ErrorType string // empty for an operation that succeeded
	// Labels are a package's own attributes, each with low cardinality.
	Labels [2]Label
}

// A Server is the address of a broker, for instrumentations that do not know it from the
// start. It is compared by pointer.
type Server struct{ Attributes []attribute.KeyValue }

// A Label is an attribute of a [Point]. One without a value is left out.
type Label struct {
	Key   attribute.Key
	Value string
}

// Now returns the time for a later [Operation.Done], or zero if metrics are off.
func (o *Operation) Now(ctx context.Context) time.Time {
	if !o.duration.Enabled(ctx) && !o.counter.Enabled(ctx) {
		return time.Time{}
	}
	return time.Now()
}

// Done measures an operation that began at start, on n messages.
func (o *Operation) Done(ctx context.Context, start time.Time, p Point, n int64) {
	if start.IsZero() {
		return
	}
	o.duration.Record(ctx, time.Since(start).Seconds(), o.measurement(p).record...)
	if n > 0 {
		o.Count(ctx, p, n)
	}
}

// Count is Done for an operation whose duration is not known.
func (o *Operation) Count(ctx context.Context, p Point, n int64) {
	if o.counter.Enabled(ctx) {
		o.counter.Add(ctx, n, o.measurement(p).add...)
	}
}

// QueueTime measures the time that a message took from its sender to the start of
// its processing.
func (o *Operation) QueueTime(ctx context.Context, seconds float64, p Point) {
	if h := o.instrumentation.instruments.queueTime; h.Enabled(ctx) {
		h.Record(ctx, seconds, o.measurement(p).others...)
	}
}

// WithoutContext counts messages that carried no trace context that could be used.
func (o *Operation) WithoutContext(ctx context.Context, p Point, n int64) {
	if c := o.instrumentation.instruments.withoutContext; c.Enabled(ctx) {
		c.Add(ctx, n, o.measurement(p).add...)
	}
}

// Settled counts settled messages. The settlement is one of the labels of p.
func (o *Operation) Settled(ctx context.Context, p Point, n int64) {
	if c := o.instrumentation.instruments.settled; c.Enabled(ctx) {
		c.Add(ctx, n, o.measurement(p).add...)
	}
}

// measurement holds the prepared attributes of a metric point: building an attribute set
// costs more than the rest of a measurement.
type measurement struct {
	record []metric.RecordOption // of the operation's duration
	others []metric.RecordOption // of other histograms
	add    []metric.AddOption
}

func (o *Operation) measurement(p Point) *measurement {
	return o.measurements.Get(p, func() *measurement {
		attributes := make([]attribute.KeyValue, 0, len(o.instrumentation.identity)+6)
		attributes = append(append(attributes, o.instrumentation.identity...), operationName(o.name))
		if p.Name != "" {
			attributes = append(attributes, p.attribute())
		}
		if p.Server != nil {
			attributes = append(attributes, p.Server.Attributes...)
		}
		if p.ErrorType != "" {
			attributes = append(attributes, errorTypeAttribute(p.ErrorType))
		}
		for _, l := range p.Labels {
			if l.Value != "" {
				attributes = append(attributes, Text(l.Key, l.Value))
			}
		}
		set := metric.WithAttributeSet(attribute.NewSet(attributes...))
		m := &measurement{
			record: []metric.RecordOption{set}, others: []metric.RecordOption{set}, add: []metric.AddOption{set},
		}
		if o.durationType != nil {
			typed := attribute.NewSet(append(attributes, o.durationType...)...)
			m.record = []metric.RecordOption{metric.WithAttributeSet(typed)}
		}
		return m
	})
}
