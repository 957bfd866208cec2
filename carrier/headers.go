package carrier

import (
	"context"

	"go.opentelemetry.io/otel/propagation"
)

// Headers carries context in a map[string]string, the type of asynq's task
// headers and of many other kinds of metadata.
type Headers map[string]string

var _ propagation.TextMapCarrier = Headers{}

// Inject returns a copy of h that carries the context of ctx as propagator
// writes it. Whatever h held under the propagator's fields, in any letter case,
// is left out of the copy. h itself is not changed and may be nil. A nil
// propagator stands for OpenTelemetry's global one.
func (h Headers) Inject(ctx context.Context, propagator propagation.TextMapPropagator) Headers {
	out, _ := inject(ctx, h, propagator)
	return out
}

// Replace is [Headers.Inject], and reports whether h held anything under the propagator's fields: a
// message that was sent before, or that a program gave a context of its own.
func (h Headers) Replace(ctx context.Context, propagator propagation.TextMapPropagator) (out Headers, replaced bool) {
	return inject(ctx, h, propagator)
}

// Extract returns ctx with the context that h carries, as propagator reads it.
// Where h carries nothing usable ctx comes back as it was. A nil propagator
// stands for OpenTelemetry's global one.
func (h Headers) Extract(ctx context.Context, propagator propagation.TextMapPropagator) context.Context {
	return extract(ctx, h, propagator)
}

// Get returns the value under key, which matches in any letter case, without
// surrounding spaces and tabs. It is empty where there is none, or where keys
// that differ in letter case only hold different values.
func (h Headers) Get(key string) string { return get(h, key) }

// Set stores value under key and removes keys that differ from it in letter case
// only. Unlike [Headers.Inject] it writes to h. A nil Headers cannot hold a
// value: Set does nothing on it.
func (h Headers) Set(key, value string) {
	set(h, key, value)
}

// Keys returns the keys that [Headers.Get] has a value for, in no particular
// order.
func (h Headers) Keys() []string { return keys(h) }
