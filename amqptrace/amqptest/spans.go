package amqptest

import (
	"context"
	"slices"
	"strings"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/propagation"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/mqtrace/mqtrace/amqptrace"
)

// Recorder keeps the spans of a test.
type Recorder struct {
	t        TB
	spans    *tracetest.SpanRecorder
	provider *sdktrace.TracerProvider
}

var propagator = propagation.NewCompositeTextMapPropagator(propagation.TraceContext{}, propagation.Baggage{})

// Record returns a recorder that samples every span. Give its [Recorder.Options] to publishers
// and consumers, or call [Recorder.SetGlobal].
func Record(t TB) *Recorder {
	r := &Recorder{t: t, spans: tracetest.NewSpanRecorder()}
	r.provider = sdktrace.NewTracerProvider(
		sdktrace.WithSampler(sdktrace.AlwaysSample()), sdktrace.WithSpanProcessor(r.spans))
	return r
}

// Options returns the options that make a publisher or consumer use the recorder and
// propagate W3C trace context and baggage.
func (r *Recorder) Options() []amqptrace.Option {
	return []amqptrace.Option{amqptrace.WithTracerProvider(r.provider), amqptrace.WithPropagators(propagator)}
}

// SetGlobal makes the recorder OpenTelemetry's global tracer provider, and W3C trace
// context and baggage its propagators, until the test ends. Tests that call it must not run
// in parallel. A tracer or provider that the program got from OpenTelemetry before the
// first call stays bound to the recorder of that call, so create publishers and consumers
// in the test.
func (r *Recorder) SetGlobal() {
	provider, propagators := otel.GetTracerProvider(), otel.GetTextMapPropagator()
	otel.SetTracerProvider(r.provider)
	otel.SetTextMapPropagator(propagator)
	r.t.Cleanup(func() {
		otel.SetTracerProvider(provider)
		otel.SetTextMapPropagator(propagators)
	})
}

// TracerProvider returns the provider whose spans are recorded.
func (r *Recorder) TracerProvider() trace.TracerProvider { return r.provider }

// Start starts a span that stands for the caller, such as an HTTP request.
func (r *Recorder) Start(ctx context.Context, name string) (context.Context, trace.Span) {
	return r.provider.Tracer("amqptest").Start(ctx, name)
}

// Spans returns the spans that have ended, in the order in which they started.
func (r *Recorder) Spans() []Span { return r.all(func(Span) bool { return true }) }

// Message returns the spans of the message with the given id: of its publish, of each
// attempt to process it and so on.
func (r *Recorder) Message(id string) []Span {
	return r.all(func(s Span) bool { return s.Attr("messaging.message.id") == id })
}

// Trace returns the spans of the trace that ctx is in.
func (r *Recorder) Trace(ctx context.Context) []Span {
	want := trace.SpanContextFromContext(ctx).TraceID()
	return r.all(func(s Span) bool { return s.SpanContext().TraceID() == want })
}

func (r *Recorder) all(wanted func(Span) bool) []Span {
	var spans []Span
	for _, s := range r.spans.Ended() {
		if span := (Span{s}); wanted(span) {
			spans = append(spans, span)
		}
	}
	slices.SortStableFunc(spans, func(a, b Span) int { return a.StartTime().Compare(b.StartTime()) })
	return spans
}

// WantMessage waits until as many spans of the message with the given id have ended as
// there are lines, and fails the test if they differ from the lines, which are as in
// [Describe], for instance
//
//	publish orders acked
//	process billing requeue
//	process billing ack
//
// which also requires all of them to be in one trace: a span of another one shows as
// "(linked)" or "(apart)".
func (r *Recorder) WantMessage(id string, lines ...string) {
	r.t.Helper()
	r.want("the message "+id, lines, func() []Span { return r.Message(id) })
}

// WantTrace is [Recorder.WantMessage] for all spans of the trace that ctx is in, for
// instance of messages without an id. The caller's span must have ended.
func (r *Recorder) WantTrace(ctx context.Context, lines ...string) {
	r.t.Helper()
	r.want("the trace", lines, func() []Span { return r.Trace(ctx) })
}

func (r *Recorder) want(what string, lines []string, read func() []Span) {
	r.t.Helper()
	var got []string
	until(func() bool { got = Describe(read()); return len(got) >= len(lines) })
	switch {
	case slices.Equal(got, lines):
	case len(r.spans.Ended()) == 0:
		r.t.Errorf("no span has ended: publishers and consumers need the recorder's Options, or SetGlobal before they are made")
	default:
		r.t.Errorf("%s has the spans\n\t%s\nwant\n\t%s", what, strings.Join(got, "\n\t"), strings.Join(lines, "\n\t"))
	}
}
