package telemetry_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/mqtrace/mqtrace/examples/order-notification/telemetry"
)

// receiver counts the requests it gets.
func receiver(t *testing.T, status int) (url string, requests *atomic.Int64, header *atomic.Pointer[http.Header]) {
	t.Helper()
	requests, header = new(atomic.Int64), new(atomic.Pointer[http.Header])
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		header.Store(&r.Header)
		w.WriteHeader(status)
	}))
	t.Cleanup(server.Close)
	return server.URL, requests, header
}

func TestSpansGoToTheViewerAndToTheEnvironmentsEndpoint(t *testing.T) {
	viewer, viewed, viewedHeader := receiver(t, http.StatusOK)
	collector, collected, collectedHeader := receiver(t, http.StatusOK)
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector)
	t.Setenv("OTEL_EXPORTER_OTLP_HEADERS", "authorization=secret")
	t.Setenv("OTEL_METRICS_EXPORTER", "none")
	t.Setenv("OTEL_LOGS_EXPORTER", "none")
	tel, _ := setup(t, telemetry.Config{Service: "test", ViewerURL: viewer})
	_, span := tel.Tracer().Start(t.Context(), "work")
	span.End()
	tel.Shutdown(context.Background())
	if viewed.Load() != 1 || collected.Load() != 1 {
		t.Fatalf("requests: viewer %d, collector %d, want one each", viewed.Load(), collected.Load())
	}
	if got := collectedHeader.Load().Get("Authorization"); got != "secret" {
		t.Errorf("the collector got Authorization %q", got)
	}
	if got := viewedHeader.Load().Get("Authorization"); got != "" {
		t.Errorf("the viewer got the collector's Authorization %q", got)
	}
}

func TestBatchSettings(t *testing.T) {
	for name, c := range map[string]struct {
		env      string
		requests int64
	}{
		"ours: a batch holds all":    {"", 1},
		"the environment's batch: 1": {"1", 5},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", c.env)
			t.Setenv("OTEL_BSP_SCHEDULE_DELAY", "60000")
			url, requests, _ := receiver(t, http.StatusOK)
			tel, _ := setup(t, telemetry.Config{Service: "test", ViewerURL: url})
			for range 5 {
				_, span := tel.Tracer().Start(t.Context(), "work")
				span.End()
			}
			tel.Shutdown(context.Background())
			if got := requests.Load(); got != c.requests {
				t.Errorf("%d requests, want %d", got, c.requests)
			}
		})
	}
}

func TestFailedExportsAreOneWarning(t *testing.T) {
	t.Setenv("OTEL_BSP_SCHEDULE_DELAY", "1")
	url, requests, _ := receiver(t, http.StatusBadRequest)
	tel, log := setup(t, telemetry.Config{Service: "test", ViewerURL: url})
	for range 5 {
		before := requests.Load()
		_, span := tel.Tracer().Start(t.Context(), "work")
		span.End()
		for deadline := time.Now().Add(patience); requests.Load() == before && time.Now().Before(deadline); {
			time.Sleep(time.Millisecond)
		}
	}
	tel.Shutdown(context.Background())
	if got := strings.Count(log.String(), `"level":"WARN"`); got != 1 || requests.Load() != 5 {
		t.Errorf("%d warnings for %d requests, want 1 for 5:\n%s", got, requests.Load(), log)
	}
}

// patience is how long tests wait for what they expect, to allow for a busy machine.
const patience = time.Minute

// waitForever is an export timeout longer than the test: waiting for a hanging export
// blocks for good, so that the test needs no clock to notice.
func waitForever(t *testing.T) {
	t.Helper()
	for _, variable := range []string{
		"OTEL_EXPORTER_OTLP_TIMEOUT", "OTEL_BSP_EXPORT_TIMEOUT", "OTEL_BLRP_EXPORT_TIMEOUT", "OTEL_METRIC_EXPORT_TIMEOUT",
	} {
		t.Setenv(variable, "3600000")
	}
}

// ends fails the test if the function that it calls does not return.
func ends(t *testing.T, what string, call func()) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		call()
	}()
	select {
	case <-done:
	case <-time.After(patience):
		t.Fatalf("%s waits for a Collector that hangs", what)
	}
}

type kindError struct{}

func (kindError) Error() string     { return "no luck" }
func (kindError) ErrorType() string { return "luck" }

func TestInSpan(t *testing.T) {
	errPlain := errors.New("plain")
	for name, c := range map[string]struct {
		do        func(context.Context) error
		status    codes.Code
		message   string
		errorType string
	}{
		"success":      {func(context.Context) error { return nil }, codes.Unset, "", ""},
		"error":        {func(context.Context) error { return errPlain }, codes.Error, "plain", "*errors.errorString"},
		"wrapped kind": {func(context.Context) error { return fmt.Errorf("x: %w", kindError{}) }, codes.Error, "x: no luck", "luck"},
		"panic":        {func(context.Context) error { panic("boo") }, codes.Error, "panicked", "panic"},
	} {
		t.Run(name, func(t *testing.T) {
			recorder := tracetest.NewSpanRecorder()
			tracer := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(recorder)).Tracer("test")
			func() {
				defer func() {
					if got := recover(); (got != nil) != (name == "panic") {
						t.Errorf("recovered %v", got)
					}
				}()
				_ = telemetry.InSpan(t.Context(), tracer, "work", c.do)
			}()
			span := recorder.Ended()[0]
			errorType := ""
			for _, kv := range span.Attributes() {
				if kv.Key == "error.type" {
					errorType = kv.Value.AsString()
				}
			}
			if span.Status().Code != c.status || span.Status().Description != c.message || errorType != c.errorType {
				t.Errorf("status %v, error.type %q", span.Status(), errorType)
			}
			if len(span.Events()) != 0 {
				t.Errorf("events: %v", span.Events())
			}
		})
	}
}
