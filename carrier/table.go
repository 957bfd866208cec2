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

// Inject returns a copy of t that carries the context of ctx as propagator writes it.
// Existing values of the propagator's fields, in any letter case, are left out of the copy,
// so that a republished message carries nothing stale. t itself is not changed and may be
// nil. If propagator is nil, OpenTelemetry's global one is used.
func (t Table) Inject(ctx context.Context, propagator propagation.TextMapPropagator) Table {
	out, _ := inject(ctx, t, propagator)
	return out
}

// Replace is like [Table.Inject] and also reports whether t had any of the propagator's
// fields: from an earlier send, or set by the program.
func (t Table) Replace(ctx context.Context, propagator propagation.TextMapPropagator) (out Table, replaced bool) {
	return inject(ctx, t, propagator)
}

// Extract returns ctx with the context that t carries, as propagator reads it. If t carries
// nothing usable, Extract returns ctx unchanged. If propagator is nil, OpenTelemetry's
// global one is used.
func (t Table) Extract(ctx context.Context, propagator propagation.TextMapPropagator) context.Context {
	return extract(ctx, t, propagator)
}

// Get returns the value under key, which matches in any letter case, without surrounding
// spaces and tabs. It is empty if there is none, if it is neither a string nor a []byte, or
// if keys that differ only in letter case hold different values.
func (t Table) Get(key string) string { return get(t, key) }

// Set stores value under key and removes keys that differ from it only in letter case.
// Unlike [Table.Inject] it writes to t. A nil Table cannot hold a value: Set does nothing
// on it.
func (t Table) Set(key, value string) {
	set(t, key, value)
}

// Keys returns the keys that [Table.Get] has a value for, in no particular order.
func (t Table) Keys() []string { return keys(t) }
