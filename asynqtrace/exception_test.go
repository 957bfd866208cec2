package asynqtrace_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/hibiken/asynq"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/mqtrace/mqtrace/asynqtrace"
)

// An attempt that fails or panics is passed on under its name in the conventions, in the
// context of its span; one that succeeds or revokes its task is not.
func TestWithExceptions(t *testing.T) {
	rec := tracetest.NewSpanRecorder()
	provider := asynqtrace.WithTracerProvider(sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(rec)))
	var all []asynqtrace.Exception
	var spans []trace.SpanID
	mux := asynq.NewServeMux()
	mux.Use(asynqtrace.Middleware(provider, asynqtrace.WithExceptions(func(ctx context.Context, e asynqtrace.Exception) {
		all = append(all, e)
		spans = append(spans, trace.SpanContextFromContext(ctx).SpanID())
	}), asynqtrace.WithExceptions(nil)))
	mux.HandleFunc("fails", func(context.Context, *asynq.Task) error { return errors.New("failed") })
	mux.HandleFunc("panics", func(context.Context, *asynq.Task) error { panic("host") })
	mux.HandleFunc("succeeds", func(context.Context, *asynq.Task) error { return nil })
	mux.HandleFunc("revokes", func(context.Context, *asynq.Task) error { return asynq.RevokeTask })
	for _, kind := range []string{"fails", "panics", "succeeds", "revokes"} {
		func() {
			defer func() { _ = recover() }()
			_ = mux.ProcessTask(context.Background(), asynq.NewTask(kind, nil))
		}()
	}
	if len(all) != 2 || len(rec.Ended()) != 4 {
		t.Fatalf("%d exceptions, %d spans", len(all), len(rec.Ended()))
	}
	want := asynqtrace.Exception{Event: "messaging.process.exception", Severity: 17, Type: "*errors.errorString", Message: "failed"}
	if all[0] != want || spans[0] != rec.Ended()[0].SpanContext().SpanID() {
		t.Errorf("got %+v, want %+v", all[0], want)
	}
	if all[1].Type != "panic" || !strings.Contains(all[1].Stacktrace, "TestWithExceptions") {
		t.Errorf("got %+v", all[1])
	}
}
