package auto

import (
	"context"
	"net/http"
	"sync"
	_ "unsafe" // for go:linkname

	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel/trace"
)

var serving sync.Mutex

// handler wraps the handler of a server with a span.
type handler struct{ http.Handler }

// serverServe is called when a server starts serving.
//
//go:linkname serverServe
func serverServe(srv *http.Server) {
	if off() || !settings().http {
		return
	}
	serving.Lock()
	defer serving.Unlock()
	h := srv.Handler
	if h == nil {
		h = http.DefaultServeMux
	}
	if _, ok := h.(handler); ok {
		return
	}
	defer leave(enter())
	traced := otelhttp.NewHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s, before := begin(r.Context())
		defer s.end(before)
		h.ServeHTTP(w, r)
	}), "")
	srv.Handler = handler{http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if ownServers.Load() {
			h.ServeHTTP(w, r)
			return
		}
		traced.ServeHTTP(w, r)
	})}
}

// transport starts spans for requests that belong to a trace. Others, such as those of
// exporters, are left alone.
type transport struct{ host http.RoundTripper }

func (t transport) RoundTrip(r *http.Request) (*http.Response, error) {
	ctx := current(r.Context())
	if !trace.SpanContextFromContext(ctx).IsValid() {
		return t.host.RoundTrip(r)
	}
	return traced().RoundTrip(r.WithContext(context.WithValue(ctx, hostKey{}, t.host)))
}

func (t transport) CloseIdleConnections() {
	if h, ok := t.host.(interface{ CloseIdleConnections() }); ok {
		h.CloseIdleConnections()
	}
}

type hostKey struct{}

// dispatcher uses the transport in the request's context.
type dispatcher struct{}

func (dispatcher) RoundTrip(r *http.Request) (*http.Response, error) {
	host, ok := r.Context().Value(hostKey{}).(http.RoundTripper)
	if !ok {
		host = http.DefaultTransport
	}
	return host.RoundTrip(r)
}

var traced = sync.OnceValue(func() *otelhttp.Transport {
	defer leave(enter())
	return otelhttp.NewTransport(dispatcher{})
})

// clientTransport is called with the transport of a client, nil for the default one, and
// returns the transport that the client uses.
//
//go:linkname clientTransport
func clientTransport(host http.RoundTripper) http.RoundTripper {
	if host == nil {
		host = http.DefaultTransport
	}
	if off() || !settings().http || ownTransport.Load() {
		return host
	}
	return transport{host}
}
