package traceview

import (
	"net/http"
	"strings"

	"github.com/mqtrace/mqtrace/internal/traceview/page"
	"github.com/mqtrace/mqtrace/internal/traceview/receiver"
	"github.com/mqtrace/mqtrace/internal/traceview/store"
)

// The parts of package store that programs need.
type (
	// Store is [store.Store].
	Store = store.Store
	// Limits are [store.Limits].
	Limits = store.Limits
)

// NewStore returns a store with the given limits.
func NewStore(limits Limits) *Store { return store.New(limits) }

// The paths to which OTLP/HTTP clients send traces, and of the list of traces as JSON.
const (
	TracesPath = receiver.TracesPath
	TracesAPI  = page.TracesAPI
)

// NewHandler returns a handler that receives traces over OTLP/HTTP at [TracesPath], puts
// them in the store, serves the contents of the store at [TracesAPI], and shows them on a
// web page at /.
//
// Requests from web pages of other origins are always refused, and no CORS header is ever
// sent. The server of the handler has to check the host of requests, as [Listen] does.
func NewHandler(s *Store) http.Handler { return newGuard(s, nil) }

// newGuard returns the handler, which answers requests to the given hosts only.
func newGuard(s *Store, hosts func(string) bool) *guard {
	mux := http.NewServeMux()
	page.Register(mux, s)

	return &guard{next: exact(mux, receiver.New(s)), hosts: hosts}
}

// exact passes requests to [TracesPath] to the receiver, even if the path has an extra
// slash: the mux would answer with a redirect, which exporters do not follow. Exporters of
// other signals log the answer that they get.
func exact(mux, traces http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch trimmed(r.URL.Path) {
		case TracesPath:
			traces.ServeHTTP(w, r)
		case "/v1/metrics":
			http.Error(w, "only traces are received here: set OTEL_METRICS_EXPORTER=none", http.StatusNotFound)
		case "/v1/logs":
			http.Error(w, "only traces are received here: set OTEL_LOGS_EXPORTER=none", http.StatusNotFound)
		default:
			mux.ServeHTTP(w, r)
		}
	})
}

func isTracesPath(path string) bool { return trimmed(path) == TracesPath }

func trimmed(path string) string { return "/" + strings.Trim(path, "/") }
