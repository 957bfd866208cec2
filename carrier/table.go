package carrier

import (
	"context"

	"go.opentelemetry.io/otel/propagation"
)

// Table carries context in a map[string]any, the type of AMQP 0-9-1 headers.
//
// Values are written as a Go string, which amqp091-go encodes as a long string
// (field type S). A []byte would become field type x, which clients in other
// languages ignore or misread.
type Table map[string]any

var _ propagation.TextMapCarrier = Table{}

// Inject returns a copy of t that carries the context of ctx as propagator
// writes it. Whatever t held under the propagator's fields, in any letter case,
// is left out of the copy, so that a republished message carries nothing stale.
// t itself is not changed and may be nil. A nil propagator stands for
// OpenTelemetry's global one.
func (t Table) Inject(ctx context.Context, propagator propagation.TextMapPropagator) Table {
	out, _ := inject(ctx, t, propagator)
	return out
}

// Replace is [Table.Inject], and reports whether t held anything under the propagator's fields: a
// message that was sent before, or that a program gave a context of its own.
func (t Table) Replace(ctx context.Context, propagator propagation.TextMapPropagator) (out Table, replaced bool) {
	return inject(ctx, t, propagator)
}

// Extract returns ctx with the context that t carries, as propagator reads it.
// Where t carries nothing usable ctx comes back as it was. A nil propagator
// stands for OpenTelemetry's global one.
func (t Table) Extract(ctx context.Context, propagator propagation.TextMapPropagator) context.Context {
	return extract(ctx, t, propagator)
}

// Get returns the value under key, which matches in any letter case, without
// surrounding spaces and tabs. It is empty where there is none, where it is
// neither a string nor a []byte, or where keys that differ in letter case only
// hold different values.
func (t Table) Get(key string) string { return get(t, key) }

// Set stores value under key and removes keys that differ from it in letter case
// only. Unlike [Table.Inject] it writes to t. A nil Table cannot hold a value:
// Set does nothing on it.
func (t Table) Set(key, value string) {
	set(t, key, value)
}

// Keys returns the keys that [Table.Get] has a value for, in no particular order.
func (t Table) Keys() []string { return keys(t) }
