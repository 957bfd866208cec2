package carrier

import (
	"context"
	"strings"

	"go.opentelemetry.io/otel/propagation"
)

// The header names of W3C Trace Context and W3C Baggage.
const (
	traceparent = "traceparent"
	tracestate  = "tracestate"
	baggage     = "baggage"
)

func extract[M ~map[string]V, V any](
	ctx context.Context, m M, p propagation.TextMapPropagator,
) context.Context {
	if len(m) == 0 {
		return ctx
	}
	ctx, p = orDefaults(ctx, p)
	if isPlain(m) {
		return p.Extract(ctx, exact[V](m))
	}
	return p.Extract(ctx, &reader[V]{w3c: readW3C(m), m: m})
}

// isPlain tells whether the W3C fields that m has stand under their exact names. A
// map of headers is walked for every message, so there is one walk for all fields,
// and for nearly all messages it is the only thing that is done beyond a look-up.
func isPlain[V any](m map[string]V) bool {
	for k := range m {
		// The length tells nearly every other header apart at once.
		switch len(k) {
		case len(traceparent):
			if k != traceparent && equalFold(k, traceparent) {
				return false
			}
		case len(tracestate):
			if k != tracestate && equalFold(k, tracestate) {
				return false
			}
		case len(baggage):
			if k != baggage && equalFold(k, baggage) {
				return false
			}
		case len(annotation + traceparent), len(annotation + tracestate), len(annotation + baggage):
			if equalFold(k[:len(annotation)], annotation) {
				return false
			}
		}
	}
	return true
}

// exact is what a propagator reads from during extract where the map is plain.
type exact[V any] map[string]V

var _ propagation.TextMapCarrier = exact[any]{}

func (e exact[V]) Keys() []string { return keys(e) }

// Set does nothing: extraction leaves the message alone.
func (e exact[V]) Set(string, string) {}

func (e exact[V]) Get(key string) string {
	switch key {
	case traceparent, tracestate, baggage:
		v, ok := e[key]
		if !ok {
			return ""
		}
		return limit(key, text(v))
	default:
		return get(e, key)
	}
}

// reader is what a propagator reads from during extract where it is not. It keeps
// the W3C fields, so that reading them takes one walk and not three.
type reader[V any] struct {
	m   map[string]V
	w3c w3cFields
}

var _ propagation.TextMapCarrier = (*reader[any])(nil)

func (r *reader[V]) Keys() []string { return keys(r.m) }

// Set does nothing: extraction leaves the message alone.
func (r *reader[V]) Set(string, string) {}

func (r *reader[V]) Get(key string) string {
	switch key {
	case traceparent, tracestate, baggage:
		return r.w3c.get(key)
	default:
		return get(r.m, key)
	}
}

// w3cFields is what a map holds of the W3C fields.
type w3cFields struct {
	traceparent, tracestate, baggage field
}

// readW3C reads the plain fields and, for what is not among them, the annotations:
// programs set baggage as a property of the message where their middleware annotates
// it with the trace. A tracestate belongs to its own traceparent and is never mixed.
func readW3C[V any](m map[string]V) w3cFields {
	var w w3cFields
	annotated := false
	for k, v := range m {
		switch len(k) {
		case len(traceparent):
			addIf(&w.traceparent, equalFold(k, traceparent), v)
		case len(tracestate):
			addIf(&w.tracestate, equalFold(k, tracestate), v)
		case len(baggage):
			addIf(&w.baggage, equalFold(k, baggage), v)
		case len(annotation + traceparent), len(annotation + tracestate), len(annotation + baggage):
			annotated = true
		}
	}
	if !annotated || w.traceparent.found && w.baggage.found {
		return w
	}
	a := readAnnotations(m)
	if !w.traceparent.found && a.traceparent.found {
		w.traceparent, w.tracestate = a.traceparent, a.tracestate
	}
	if !w.baggage.found {
		w.baggage = a.baggage
	}
	return w
}

func readAnnotations[V any](m map[string]V) w3cFields {
	var w w3cFields
	for k, v := range m {
		addIf(&w.traceparent, isAnnotation(k, traceparent), v)
		addIf(&w.tracestate, isAnnotation(k, tracestate), v)
		addIf(&w.baggage, isAnnotation(k, baggage), v)
	}
	return w
}

func (w *w3cFields) get(key string) string {
	switch key {
	case traceparent:
		return w.traceparent.get()
	case tracestate:
		return w.tracestate.get()
	default:
		return limit(baggage, w.baggage.get())
	}
}

// get is the one-key form for use as a plain TextMapCarrier.
func get[V any](m map[string]V, key string) string {
	switch key {
	case traceparent, tracestate, baggage:
		w := readW3C(m)
		return w.get(key)
	}
	var f field
	for k, v := range m {
		addIf(&f, equalFold(k, key), v)
	}
	return limit(key, f.get())
}

// keys lists what get can read: one walk, however many headers there are.
func keys[V any](m map[string]V) []string {
	fields := make(map[string]*field, len(m))
	for k, v := range m {
		lower := lowerASCII(k)
		f := fields[lower]
		if f == nil {
			f = new(field)
			fields[lower] = f
		}
		addIf(f, true, v)
	}
	out := make([]string, 0, len(m))
	for k := range m {
		if limit(k, fields[lowerASCII(k)].get()) != "" {
			out = append(out, k)
		}
	}
	return out
}

// field collects the values of the keys that are one field in different letter
// case.
type field struct {
	value           string
	found, conflict bool
}

func addIf[V any](f *field, same bool, v V) {
	if !same {
		return
	}
	s := text(v)
	if s == "" {
		return
	}
	f.conflict = f.conflict || f.found && f.value != s
	f.value, f.found = s, true
}

func (f *field) get() string {
	if f.conflict {
		return ""
	}
	return f.value
}

// text returns a header's value if it is text, else "". W3C Trace Context allows
// spaces and tabs around a value and makes them no part of it.
func text[V any](v V) string {
	switch s := any(v).(type) {
	case string:
		return trim(s)
	case []byte:
		return trim(string(s))
	default:
		return ""
	}
}

// trim looks before it calls: strings.Trim works out the set of characters each time,
// and nearly no value has one of them.
func trim(s string) string {
	if s == "" || !isBlank(s[0]) && !isBlank(s[len(s)-1]) {
		return s
	}
	return strings.Trim(s, " \t")
}

func isBlank(c byte) bool { return c == ' ' || c == '\t' }
