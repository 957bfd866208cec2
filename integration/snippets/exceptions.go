package telemetry

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/log"

	"github.com/mqtrace/mqtrace/amqptrace"
)

// Record returns a function for amqptrace.WithExceptions that makes a log record of each
// failure.
func Record(provider log.LoggerProvider) func(context.Context, amqptrace.Exception) {
	logger := provider.Logger(amqptrace.ScopeName)
	return func(ctx context.Context, e amqptrace.Exception) {
		var r log.Record
		r.SetEventName(e.Event)
		r.SetSeverity(log.Severity(e.Severity))
		r.AddAttributes(attribute.String("exception.type", e.Type), attribute.String("exception.message", e.Message))
		if e.Stacktrace != "" { // of a panic
			r.AddAttributes(attribute.String("exception.stacktrace", e.Stacktrace))
		}
		logger.Emit(ctx, r)
	}
}
