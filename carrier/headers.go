package carrier

import (
	"context"

	"go.opentelemetry.io/otel/propagation"
)

// Headers carries context in a map[string]string, the type of asynq's task
// headers and of many other kinds of metadata.
type Headers map[string]string

var _ propagation.TextMapCarrier = Headers{}

// Inject returns a copy of h that carries the context of ctx as propagator writes it.
// Existing values of the propagator's fields, in any letter case, are left out of the copy.
// h itself is not changed and may be nil. If propagator is nil, OpenTelemetry's global one
// is used.
func (h Headers) Inject(ctx context.Context, propagator propagation.TextMapPropagator) Headers {
	out, _ := inject(ctx, h, propagator)
	return out
}

// Replace is like [Headers.Inject] and also reports whether h had any of the propagator's
// fields: from an earlier send, or set by the program.
func (h Headers) Replace(ctx context.Context, propagator propagation.TextMapPropagator) (out Headers, replaced bool) {
	return inject(ctx, h, propagator)
}

// Extract returns ctx with the context that h carries, as propagator reads it. If h carries
// nothing usable, Extract returns ctx unchanged. If propagator is nil, OpenTelemetry's
// global one is used.
func (h Headers) Extract(ctx context.Context, propagator propagation.TextMapPropagator) context.Context {
	return extract(ctx, h, propagator)
}

// Get returns the value under key, which matches in any letter case, without surrounding
// spaces and tabs. It is empty if there is none, or if keys that differ only in letter case
// hold different values.
func (h Headers) Get(key string) string { return get(h, key) }

// Set stores value under key and removes keys that differ from it only in letter case.
// Unlike [Headers.Inject] it writes to h. A nil Headers cannot hold a value: Set does
// nothing on it.
func (h Headers) Set(key, value string) {
	set(h, key, value)
}

// Keys returns the keys that [Headers.Get] has a value for, in no particular
// order.
func (h Headers) Keys() []string { return keys(h) }
