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

// extract returns ctx with the context that m carries, as p reads it, or ctx unchanged if m
// carries none. If p is nil, OpenTelemetry's global propagator is used.
func extract[V any](ctx context.Context, m map[string]V, p propagation.TextMapPropagator) context.Context {
	if len(m) == 0 {
		return ctx
	}
	ctx, p = orDefaults(ctx, p)
	if len(m) <= maxPlain && isPlain(m) {
		return p.Extract(ctx, plain[V](m))
	}
	r := &reader[V]{headers: m}
	readW3C(&r.w3c, m)
	return p.Extract(ctx, r)
}

// maxPlain bounds the number of headers that are searched again for each key: a propagator
// may ask for as many keys as there are headers.
const maxPlain = 32

// isPlain reports whether the W3C fields that m has, if any, are written as their
// specifications say, in lower case and as text that needs no trimming and no cutting. They
// nearly always are, which saves allocating a reader.
func isPlain[V any](m map[string]V) bool {
	for k, v := range m {
		switch len(k) {
		case len(traceparent), len(tracestate), len(baggage):
			switch k {
			case traceparent, tracestate, baggage:
				s, ok := any(v).(string)
				if !ok || hasBlanks(s) || len(s) > maxBaggageMembers && k == baggage {
					return false
				}
			default:
				if equalFold(k, traceparent) || equalFold(k, tracestate) || equalFold(k, baggage) {
					return false
				}
			}
		case len(annotation + traceparent), len(annotation + tracestate), len(annotation + baggage):
			return false // may be an annotation
		}
	}
	return true
}

// plain is the carrier that a propagator reads a plain map from.
type plain[V any] map[string]V

var _ propagation.TextMapCarrier = plain[any]{}

func (m plain[V]) Keys() []string { return keys(m) }

// Set does nothing: extraction leaves the message alone.
func (m plain[V]) Set(string, string) {}

func (m plain[V]) Get(key string) string {
	switch key {
	case traceparent, tracestate, baggage:
		s, _ := any(m[key]).(string)
		return s
	default:
		return get(m, key)
	}
}

// reader is the carrier that a propagator reads any other map from. It holds the W3C
// fields, so that one walk over the map, needed because keys match in any letter case,
// serves all of them.
type reader[V any] struct {
	headers map[string]V
	w3c     w3cFields
	fields  map[string]*field // all of them, by key in lower case; nil until one is asked for
}

var _ propagation.TextMapCarrier = (*reader[any])(nil)

func (r *reader[V]) Keys() []string {
	r.index()
	return indexedKeys(r.headers, r.fields)
}

// index reads the headers once for all keys that a propagator asks for.
func (r *reader[V]) index() {
	if r.fields == nil {
		r.fields = index(r.headers)
	}
}

// Set does nothing: extraction leaves the message alone.
func (r *reader[V]) Set(string, string) {}

func (r *reader[V]) Get(key string) string {
	if f := r.w3c.of(key); f != nil {
		return limit(key, f.get())
	}
	r.index()
	if f := r.fields[lowerASCII(key)]; f != nil {
		return limit(key, f.get())
	}
	return ""
}

// w3cFields are the values of the W3C fields in a map.
type w3cFields struct {
	traceparent, tracestate, baggage field
}

// readW3C reads the plain fields and, for missing ones, the annotations: a program may set
// baggage as a message property while its middleware annotates the message with the trace.
// A tracestate belongs to its traceparent, so the two are never mixed.
//
// The headers of every message are walked, so one walk serves all fields.
func readW3C[V any](w *w3cFields, m map[string]V) {
	annotated := false
	for k, v := range m {
		// Nearly every other header differs in length.
		switch len(k) {
		case len(traceparent):
			addIf(&w.traceparent, k == traceparent || equalFold(k, traceparent), v)
		case len(tracestate):
			addIf(&w.tracestate, k == tracestate || equalFold(k, tracestate), v)
		case len(baggage):
			addIf(&w.baggage, k == baggage || equalFold(k, baggage), v)
		case len(annotation + traceparent), len(annotation + tracestate), len(annotation + baggage):
			annotated = true
		}
	}
	if !annotated || w.traceparent.value != "" && w.baggage.value != "" {
		return
	}
	a := readAnnotations(m)
	if w.traceparent.value == "" && a.traceparent.value != "" {
		w.traceparent, w.tracestate = a.traceparent, a.tracestate
	}
	if w.baggage.value == "" {
		w.baggage = a.baggage
	}
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

// of returns the field of a key, or nil.
func (w *w3cFields) of(key string) *field {
	switch key {
	case traceparent:
		return &w.traceparent
	case tracestate:
		return &w.tracestate
	case baggage:
		return &w.baggage
	default:
		return nil
	}
}

// get returns the value under key, or "" as documented at [Table.Get].
func get[V any](m map[string]V, key string) string {
	var w w3cFields
	if f := w.of(key); f != nil {
		readW3C(&w, m)
		return limit(key, f.get())
	}
	var f field
	for k, v := range m {
		addIf(&f, equalFold(k, key), v)
	}
	return limit(key, f.get())
}

// keys lists the keys that get has a value for, in time linear in the number of headers.
func keys[V any](m map[string]V) []string { return indexedKeys(m, index(m)) }

// index returns the fields of m by key in lower case.
func index[V any](m map[string]V) map[string]*field {
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
	return fields
}

func indexedKeys[V any](m map[string]V, fields map[string]*field) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		if limit(k, fields[lowerASCII(k)].get()) != "" {
			out = append(out, k)
		}
	}
	return out
}

// field collects the values of keys that differ only in letter case.
type field struct {
	value    string // empty if there is none
	conflict bool
}

func addIf[V any](f *field, same bool, v V) {
	if !same {
		return
	}
	s := text(v)
	if s == "" {
		return
	}
	f.conflict = f.conflict || f.value != "" && f.value != s
	f.value = s
}

func (f *field) get() string {
	if f.conflict {
		return ""
	}
	return f.value
}

// text returns a header's value if it is text, else "". By W3C Trace Context, surrounding
// spaces and tabs are not part of a value.
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

// trim checks first because strings.Trim builds its cutset each time, and hardly any value
// needs trimming.
func trim(s string) string {
	if !hasBlanks(s) {
		return s
	}
	return strings.Trim(s, " \t")
}

// hasBlanks reports whether s begins or ends with a space or a tab.
func hasBlanks(s string) bool { return s != "" && (isBlank(s[0]) || isBlank(s[len(s)-1])) }

func isBlank(c byte) bool { return c == ' ' || c == '\t' }
