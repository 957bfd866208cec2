package httpserver

import (
	"context"
	"fmt"
	"net/http"
	"runtime"

	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel/trace"

	"github.com/mqtrace/mqtrace/examples/order-notification/telemetry"
)

// HealthPath is the path of the health check, which is not traced: a probe
// every few seconds would be most of what the tracing backend stores.
const HealthPath = "/healthz"

// MetricsPath is the path from which the state of the process can be scraped. It is not
// traced either.
const MetricsPath = "/metrics"

// traceIDHeader is the response header with the id of the request's trace.
const traceIDHeader = "X-Trace-Id"

// NewHandler traces the requests that mux serves. Spans are named by method and route.
func NewHandler(mux *http.ServeMux, t *telemetry.Telemetry) http.Handler {
	traced := otelhttp.NewHandler(
		withTraceID(recovered(t.Log, jsonErrors(mux))), "",
		otelhttp.WithTracerProvider(t.TracerProvider),
		otelhttp.WithMeterProvider(t.MeterProvider),
		otelhttp.WithPropagators(t.Propagators),
		otelhttp.WithFilter(func(r *http.Request) bool { return r.URL.Path != HealthPath && r.URL.Path != MetricsPath }),
	)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// The route is looked up before the span starts, so that the span has
		// its name and http.route from the start, when samplers look at it.
		_, r.Pattern = mux.Handler(r)
		traced.ServeHTTP(w, r)
	})
}

// NewHealthMux returns a mux with nothing but the health check and the metrics on it.
func NewHealthMux(check func(ctx context.Context) error) *http.ServeMux {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+HealthPath, func(w http.ResponseWriter, r *http.Request) {
		if err := check(r.Context()); err != nil {
			WriteError(w, r, http.StatusServiceUnavailable, "unhealthy", err.Error())
			return
		}
		WriteJSON(w, http.StatusOK, map[string]string{"status": "ok"})
	})
	mux.HandleFunc("GET "+MetricsPath, writeMetrics)
	return mux
}

// writeMetrics writes the state of the process in Prometheus's text format. The service's
// own metrics are sent by OTLP instead, with exemplars: see package telemetry.
func writeMetrics(w http.ResponseWriter, _ *http.Request) {
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	w.Header().Set("Content-Type", "text/plain; version=0.0.4")
	fmt.Fprintf(w, "# TYPE go_goroutines gauge\ngo_goroutines %d\n", runtime.NumGoroutine())
	fmt.Fprintf(w, "# TYPE go_memstats_heap_alloc_bytes gauge\ngo_memstats_heap_alloc_bytes %d\n", memory.HeapAlloc)
}

// withTraceID sets the header before the handler runs, so that every response has it.
func withTraceID(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if sc := trace.SpanContextFromContext(r.Context()); sc.IsValid() {
			w.Header().Set(traceIDHeader, sc.TraceID().String())
		}
		next.ServeHTTP(w, r)
	})
}
