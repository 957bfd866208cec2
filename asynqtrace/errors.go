package asynqtrace

import (
	"context"
	"errors"
	"reflect"
	"strings"

	"go.opentelemetry.io/otel/trace"

	"github.com/mqtrace/mqtrace/internal/messaging"
)

// fail marks the span of an operation as failed by err and returns the error type.
func fail(ctx context.Context, o *messaging.Operation, span trace.Span, err error) string {
	failure, text := errorType(err), messaging.ErrorText(err)
	messaging.Fail(span, failure, text)
	o.Exception(ctx, cause(err), text)
	return failure
}

// errorType returns the error type of a span or metric point: the name of a Go type.
func errorType(err error) string {
	return messaging.ErrorType(cause(err), func(error) string { return "" })
}

// cause removes asynq's wrapper around errors of Redis and the network. asynq uses one type
// for all of them, whose name says nothing.
func cause(err error) error {
	for isHostWrapper(err) {
		inner := errors.Unwrap(err)
		if inner == nil {
			break
		}
		err = inner
	}
	return err
}

func isHostWrapper(err error) bool {
	t := reflect.TypeOf(err)
	return t != nil && t.Kind() == reflect.Pointer &&
		strings.HasPrefix(t.Elem().PkgPath(), "github.com/hibiken/asynq/internal/")
}
