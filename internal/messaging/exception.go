package messaging

import (
	"context"
	"fmt"
	"runtime/debug"
)

// An Exception is a failed operation as OpenTelemetry's conventions describe it in a log
// record. https://opentelemetry.io/docs/specs/semconv/messaging/messaging-exceptions/
type Exception struct {
	Event      string // the name of the event
	Severity   int    // its severity number
	Type       string // exception.type
	Message    string // exception.message
	Stacktrace string // exception.stacktrace, of a panic
}

// Exception passes an operation's error to the user's function, if there is one. err is nil
// for a panic: then Exception is called from a deferred function, where the stack still has
// the place of the panic.
func (o *Operation) Exception(ctx context.Context, err error, message string) {
	record := o.instrumentation.exceptions
	if record == nil {
		return
	}
	e := Exception{Event: o.exception.event, Severity: o.exception.severity, Message: ValidText(message)}
	if err != nil {
		e.Type = fmt.Sprintf("%T", err)
	} else {
		e.Type, e.Message, e.Stacktrace = ErrorTypePanic, didNotReturn, string(debug.Stack())
	}
	defer func() { _ = recover() }() // the message matters more
	record(ctx, e)
}
