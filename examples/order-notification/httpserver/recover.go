package httpserver

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strconv"

	"go.opentelemetry.io/otel/codes"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"
)

// recovered gives failing requests an error.type, and turns a panic into a 500, a failed
// span and a log line with the stack. It runs inside the tracing: outside, it would be too
// late to set the status, because the span would have ended.
func recovered(log *slog.Logger, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		out := &statusWriter{ResponseWriter: w}
		defer func() {
			cause := recover()
			if cause == nil {
				return
			}
			if err, ok := cause.(error); ok && errors.Is(err, http.ErrAbortHandler) {
				panic(cause) // This is how a handler asks net/http to drop the connection.
			}
			ctx := r.Context()
			span := trace.SpanFromContext(ctx)
			span.SetStatus(codes.Error, fmt.Sprintf("panic: %v", cause))
			span.SetAttributes(semconv.ErrorTypeKey.String("panic"))
			log.ErrorContext(ctx, "request handler panicked",
				"error", fmt.Sprint(cause), "stack", string(debug.Stack()))
			if out.status == 0 {
				WriteError(out, r, http.StatusInternalServerError, "internal_error", "something went wrong")
			}
		}()
		next.ServeHTTP(out, r)
		if out.status >= http.StatusInternalServerError {
			// otelhttp sets the status and leaves out the error's type.
			trace.SpanFromContext(r.Context()).SetAttributes(semconv.ErrorTypeKey.String(strconv.Itoa(out.status)))
		}
	})
}

// statusWriter records whether the response has been started.
type statusWriter struct {
	http.ResponseWriter

	status int
}

func (w *statusWriter) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *statusWriter) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	return w.ResponseWriter.Write(b) //nolint:wrapcheck // A wrapper returns the inner writer's error.
}

// Unwrap is for http.ResponseController.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
