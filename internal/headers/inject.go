package headers

import (
	"context"
	"maps"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/propagation"
)

// Inject returns a copy of m that carries the context of ctx as p writes it and nothing
// else under p's fields. A nil p stands for OpenTelemetry's global propagator.
func Inject[M ~map[string]V, V any](
	ctx context.Context, m M, p propagation.TextMapPropagator,
) M {
	ctx, p = OrDefaults(ctx, p)
	fields := p.Fields()

	var out M
	if len(m) == 0 {
		out = make(M, len(fields))
	} else {
		// A clone is several times faster than inserting entry by entry, and a
		// message seldom carries a field already.
		out = maps.Clone(m)
		lengths := lengthsOf(fields)
		for k := range m {
			if lengths.has(k) && IsField(k, fields) {
				delete(out, k)
			}
		}
	}
	p.Inject(ctx, writer[V](out))
	return out
}

// OrDefaults makes a nil propagator the global one and a nil context one that a
// propagator can work with.
func OrDefaults(
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

// lengths is a set of the lengths that a field's key may have, by which nearly all headers
// are told apart. Lengths that are a multiple of 64 apart share a bit.
type lengths uint64

func lengthsOf(fields []string) lengths {
	var s lengths
	for _, f := range fields {
		s |= bit(len(f)) | bit(len(annotation)+len(f))
	}
	return s
}

func (s lengths) has(key string) bool { return s&bit(len(key)) != 0 }

func bit(length int) lengths { return 1 << (uint(length) % 64) }

// IsField tells whether key is one of fields, in any letter case, directly or in
// the form that RabbitMQ gives to an AMQP 1.0 annotation. The latter would be
// translated back for an AMQP 1.0 consumer and mislead it.
func IsField(key string, fields []string) bool {
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

// writer is what a propagator writes to during inject: a map that holds no twin of
// the propagator's fields.
type writer[V any] map[string]V

var _ propagation.TextMapCarrier = writer[any]{}

func (w writer[V]) Get(key string) string { return Get(w, key) }
func (w writer[V]) Keys() []string        { return Keys(w) }

func (w writer[V]) Set(key, value string) {
	switch key {
	case traceparent, tracestate:
	case baggage:
		cut := limit(key, value)
		if cut == "" && value != "" {
			return // nothing of it is within the limits
		}
		value = cut
	default:
		removeFolded(w, key) // a propagator may set keys that its Fields cannot know
		value = limit(key, value)
	}
	w[key] = any(value).(V) //nolint:forcetypeassert // V is string or any
}

// Set stores value under key and removes keys that differ from it in letter case only.
// It does nothing on a nil map.
func Set[V any](m map[string]V, key, value string) {
	if m == nil {
		return
	}
	removeFolded(m, key)
	if cut := limit(key, value); cut != "" || value == "" {
		m[key] = any(cut).(V) //nolint:forcetypeassert // V is string or any
	} else {
		delete(m, key) // nothing of it is within the limits
	}
}
