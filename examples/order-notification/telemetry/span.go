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

// Tracer makes the spans a service writes by hand.
func (t *Telemetry) Tracer() trace.Tracer {
	return t.TracerProvider.Tracer(scopeName, trace.WithSchemaURL(semconv.SchemaURL))
}

// InSpan runs do in a span. An error that do returns is the span's status and
// comes back unchanged; a panic is its status too and goes on up, with the
// place it came from intact because nothing recovers it here.
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

// Fail marks the span as failed. The status and the log have the error, not an exception
// event: https://opentelemetry.io/docs/specs/semconv/general/recording-errors/ An error may
// name its own error.type with a method ErrorType() string.
func Fail(span trace.Span, err error) {
	span.SetStatus(codes.Error, err.Error())
	span.SetAttributes(semconv.ErrorType(err))
}
