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

// Where OTLP/HTTP clients send traces, and where a list of them is, as JSON.
const (
	TracesPath = receiver.TracesPath
	TracesAPI  = page.TracesAPI
)

// NewHandler returns a handler that receives traces over OTLP/HTTP at
// [TracesPath], puts them in the store, answers for what is there at [TracesAPI],
// and shows it on a web page at /.
//
// Web pages of other origins are refused everywhere, and no CORS header is ever
// sent. Under which names the handler may be asked is for its server to check, as
// [Listen] does.
func NewHandler(s *Store) http.Handler { return newGuard(s, nil) }

// newGuard returns the handler, answering to those hosts.
func newGuard(s *Store, hosts func(string) bool) *guard {
	mux := http.NewServeMux()
	page.Register(mux, s)

	return &guard{next: exact(mux, receiver.New(s)), hosts: hosts}
}

// exact hands what is sent to [TracesPath] to the receiver, also where an exporter puts a
// slash too many into it: the mux would answer with a redirect, which exporters do not
// follow.
func exact(mux, traces http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if isTracesPath(r.URL.Path) {
			traces.ServeHTTP(w, r)

			return
		}

		mux.ServeHTTP(w, r)
	})
}

func isTracesPath(path string) bool {
	return "/"+strings.Trim(path, "/") == TracesPath
}
