package messaging

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
)

// ErrorTypePanic is the error type of an operation whose handler did not return.
const ErrorTypePanic = "panic"

// Fail marks span as failed. The status of a span that is not failed stays unset, and no
// exception event is recorded: by the conventions, the details of an error are in a log
// record that is correlated with the span.
// https://opentelemetry.io/docs/specs/semconv/general/recording-errors/
func Fail(span trace.Span, errorType, description string) {
	if span.IsRecording() {
		span.SetStatus(codes.Error, ValidText(description))
		span.SetAttributes(errorTypeAttribute(errorType))
	}
}

// FailDidNotReturn marks span as failed because its handler panicked or ended its
// goroutine. Only recover could distinguish the two, and panicking again would lose the
// place of the panic.
func FailDidNotReturn(span trace.Span) {
	Fail(span, ErrorTypePanic, didNotReturn)
}

const didNotReturn = "handler panicked or exited its goroutine"

// ErrorText returns the text of err. It is not err.Error() because a handler may
// return an error, such as a nil pointer in an interface, whose method panics.
func ErrorText(err error) string { return fmt.Sprint(err) }

// ErrorType returns a low-cardinality name for the kind of err: the result of known, if
// that is not empty, or the name of its Go type.
func ErrorType(err error, known func(error) string) (errorType string) {
	defer func() {
		if recover() != nil { // from a method of the user's error, see ErrorText
			errorType = errorTypeOther
		}
	}()
	if name := known(err); name != "" {
		return name
	}
	switch {
	case errors.Is(err, context.Canceled):
		return "context.Canceled"
	case errors.Is(err, context.DeadlineExceeded):
		return "context.DeadlineExceeded"
	default:
		return errorTypeOf(err)
	}
}

// Is is errors.Is for an error of the user's, whose methods may panic.
func Is(err, target error) (is bool) {
	defer func() {
		if recover() != nil {
			is = false
		}
	}()
	return errors.Is(err, target)
}

// ValidText returns s with the Unicode replacement character in place of bytes that are
// not valid UTF-8. Names, identifiers and errors come from programs in any language, and
// one invalid string in one span keeps the exporter from sending the whole batch.
func ValidText(s string) string {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return strings.ToValidUTF8(s, "\uFFFD")
		}
	}
	return s
}
