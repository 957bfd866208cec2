package telemetry

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"
)

// scopeName is the instrumentation scope of the spans the services make by
// hand.
const scopeName = "github.com/mqtrace/mqtrace/examples/order-notification"

// Tracer returns the tracer of the spans that a service makes by hand.
func (t *Telemetry) Tracer() trace.Tracer {
	return t.TracerProvider.Tracer(scopeName, trace.WithSchemaURL(semconv.SchemaURL))
}

// InSpan runs do in a span. An error that do returns is the span's status and comes back
// unchanged; a panic becomes its status too and is not recovered, so that its stack trace
// stays intact.
func InSpan(
	ctx context.Context, tracer trace.Tracer, name string,
	do func(ctx context.Context) error, attrs ...attribute.KeyValue,
) error {
	ctx, span := tracer.Start(ctx, name, trace.WithAttributes(attrs...))
	panicked := true
	defer func() {
		if panicked {
			span.SetStatus(codes.Error, "panicked")
			span.SetAttributes(semconv.ErrorTypeKey.String("panic"))
		}
		span.End()
	}()
	err := do(ctx)
	panicked = false
	if err != nil {
		Fail(span, err)
	}
	return err
}

// Fail marks the span as failed. The error goes into the status and the log, not into an
// exception event: https://opentelemetry.io/docs/specs/semconv/general/recording-errors/ An
// error may set error.type with a method ErrorType() string.
func Fail(span trace.Span, err error) {
	span.SetStatus(codes.Error, err.Error())
	span.SetAttributes(semconv.ErrorType(err))
}
