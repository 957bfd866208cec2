package main

import (
	"net/http"

	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/contrib/processors/baggagecopy"
	"go.opentelemetry.io/otel/baggage"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// copyTenant copies one baggage member to every span that starts. Callers can send any
// number of others.
func copyTenant() sdktrace.TracerProviderOption {
	return sdktrace.WithSpanProcessor(baggagecopy.NewSpanProcessor(func(m baggage.Member) bool {
		return m.Key() == "tenant.id"
	}))
}

// newClient returns a client whose calls have spans, except those for feature flags, which
// every order makes and nobody looks at. Those carry no trace context either.
func newClient(provider trace.TracerProvider) *http.Client {
	return &http.Client{Transport: otelhttp.NewTransport(&http.Transport{DisableKeepAlives: true},
		otelhttp.WithTracerProvider(provider),
		otelhttp.WithFilter(func(r *http.Request) bool { return r.URL.Path != "/flags" }))}
}
