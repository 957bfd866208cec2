package messaging

import (
	"context"
	"strings"

	"go.opentelemetry.io/otel/propagation"
)

// Directives are the requests in the context of one publish or enqueue. The zero value
// requests nothing.
type Directives struct {
	// WithoutTracing asks for no span and no metrics. The message carries the caller's context.
	WithoutTracing bool
	// WithoutPropagation asks that the message carry no context and no header of ours.
	WithoutPropagation bool
	// NewTrace asks the consumer to start a new trace, with [NewTraceHeader].
	NewTrace bool
}

type directivesKey struct{}

// DirectivesOf returns the directives of ctx, which may be nil. There is one key for all of
// them, so that most messages cost a single lookup.
func DirectivesOf(ctx context.Context) Directives {
	if ctx == nil {
		return Directives{}
	}
	d, _ := ctx.Value(directivesKey{}).(Directives)
	return d
}

// WithoutTracing returns a copy of ctx that asks for no tracing.
func WithoutTracing(ctx context.Context) context.Context {
	d := DirectivesOf(ctx)
	d.WithoutTracing = true
	return d.in(ctx)
}

// WithoutPropagation returns a copy of ctx that asks for no propagation.
func WithoutPropagation(ctx context.Context) context.Context {
	d := DirectivesOf(ctx)
	d.WithoutPropagation = true
	return d.in(ctx)
}

// WithNewTrace returns a copy of ctx that asks the consumer for a new trace.
func WithNewTrace(ctx context.Context) context.Context {
	d := DirectivesOf(ctx)
	d.NewTrace = true
	return d.in(ctx)
}

func (d Directives) in(ctx context.Context) context.Context {
	if ctx == nil {
		ctx = context.Background()
	}
	return context.WithValue(ctx, directivesKey{}, d)
}

// Propagator returns p or, if the message is to carry no context, a propagator that has the
// fields of p and injects nothing, so that stale fields are still removed.
func (d Directives) Propagator(p propagation.TextMapPropagator) propagation.TextMapPropagator {
	if d.WithoutPropagation {
		return injectsNothing{p}
	}
	return p
}

type injectsNothing struct{ propagation.TextMapPropagator }

// Inject implements [propagation.TextMapPropagator].
func (injectsNothing) Inject(context.Context, propagation.TextMapCarrier) {}

// newTraceOfNServiceBus is NServiceBus's header for the same request, with the value True,
// in all messages that it publishes or delays.
// https://docs.particular.net/nservicebus/operations/opentelemetry#traces-span-relationships
const newTraceOfNServiceBus = "NServiceBus.OpenTelemetry.StartNewTrace"

// AsksForNewTrace reports whether the producer of a message asks for a new trace, with the
// [NewTraceHeader] or NServiceBus's header. [carrier.Table] and [carrier.Headers] have Get.
func AsksForNewTrace(headers interface{ Get(key string) string }) bool {
	return NewTraceAsked(headers.Get(NewTraceHeader)) ||
		strings.EqualFold(headers.Get(newTraceOfNServiceBus), "true")
}

// NewTraceAsked reports whether the value of a NewTraceHeader asks for a new trace.
func NewTraceAsked(value string) bool { return value == NewTraceRequested }
