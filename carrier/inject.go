package carrier

import (
	"context"
	"maps"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/propagation"
)

// inject returns a copy of m that carries the context of ctx as p writes it and nothing
// else under p's fields, and reports whether m had any of them. If p is nil,
// OpenTelemetry's global propagator is used.
func inject[M ~map[string]V, V any](ctx context.Context, m M, p propagation.TextMapPropagator) (out M, replaced bool) {
	ctx, p = orDefaults(ctx, p)
	fields := p.Fields()

	if len(m) == 0 {
		out = make(M, len(fields))
	} else {
		// A clone is several times faster than inserting entry by entry, and a
		// message seldom carries a field already.
		out = maps.Clone(m)
		for k := range m {
			if isField(k, fields) {
				delete(out, k)
				replaced = true
			}
		}
	}
	p.Inject(ctx, writer[V](out))
	return out, replaced
}

// orDefaults replaces a nil propagator with the global one and a nil context with the
// background context.
func orDefaults(
	ctx context.Context, p propagation.TextMapPropagator,
) (context.Context, propagation.TextMapPropagator) {
	if ctx == nil {
		ctx = context.Background()
	}
	if p == nil {
		p = otel.GetTextMapPropagator()
	}
	return ctx, p
}

// isField reports whether key is one of fields, in any letter case, with or without the
// prefix of an AMQP 1.0 annotation. RabbitMQ would translate a stale annotation back and so
// mislead an AMQP 1.0 consumer.
func isField(key string, fields []string) bool {
	for _, f := range fields {
		switch len(key) {
		case len(f):
			if equalFold(key, f) {
				return true
			}
		case len(annotation) + len(f):
			if isAnnotation(key, f) {
				return true
			}
		}
	}
	return false
}

// writer is the carrier that a propagator writes to: a map without any of the propagator's
// fields.
type writer[V any] map[string]V

var _ propagation.TextMapCarrier = writer[any]{}

func (w writer[V]) Get(key string) string { return get(w, key) }
func (w writer[V]) Keys() []string        { return keys(w) }

func (w writer[V]) Set(key, value string) {
	switch key {
	case traceparent, tracestate, baggage:
	default:
		removeFolded(w, key) // a propagator may set keys that its Fields cannot know
	}
	put(w, key, value)
}

// set stores value under key and removes keys that differ from it only in letter case. It
// does nothing on a nil map.
func set[V any](m map[string]V, key, value string) {
	if m == nil {
		return
	}
	removeFolded(m, key)
	delete(m, key)
	put(m, key, value)
}

// put stores the part of value that is within the limits, if any.
func put[V any](m map[string]V, key, value string) {
	if cut := limit(key, value); cut != "" || value == "" {
		m[key] = any(cut).(V) //nolint:forcetypeassert // V is string or any
	}
}
