package headers

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

// Reader extracts context from a map, once. It keeps the W3C fields, so that reading them
// takes one walk over the map, which is needed for their letter case, and no look-up. It
// may be a part of what its user allocates for a message anyway.
type Reader[V any] struct {
	Map map[string]V

	w3c w3cFields
}

var _ propagation.TextMapCarrier = (*Reader[any])(nil)

// Extract returns ctx with the context that the map carries, as p reads it, or ctx as it
// was where the map carries none. A nil p stands for OpenTelemetry's global propagator.
func (r *Reader[V]) Extract(ctx context.Context, p propagation.TextMapPropagator) context.Context {
	if len(r.Map) == 0 {
		return ctx
	}
	ctx, p = OrDefaults(ctx, p)
	readW3C(&r.w3c, r.Map)
	return p.Extract(ctx, r)
}

// Extract is [Reader.Extract] for a map that is read once.
func Extract[V any](ctx context.Context, m map[string]V, p propagation.TextMapPropagator) context.Context {
	if len(m) == 0 {
		return ctx // before a Reader is allocated
	}
	return (&Reader[V]{Map: m}).Extract(ctx, p)
}

// Keys is what a propagator calls during [Reader.Extract], like Set and Get.
func (r *Reader[V]) Keys() []string { return Keys(r.Map) }

// Set does nothing: extraction leaves the message alone.
func (r *Reader[V]) Set(string, string) {}

// Get reads one field.
func (r *Reader[V]) Get(key string) string {
	if f := r.w3c.of(key); f != nil {
		return limit(key, f.get())
	}
	return Get(r.Map, key)
}

// w3cFields is what a map holds of the W3C fields.
type w3cFields struct {
	traceparent, tracestate, baggage field
}

// readW3C reads the plain fields and, for what is not among them, the annotations:
// programs set baggage as a property of the message where their middleware annotates
// it with the trace. A tracestate belongs to its own traceparent and is never mixed.
//
// A map of headers is walked for every message, so there is one walk for all fields.
func readW3C[V any](w *w3cFields, m map[string]V) {
	annotated := false
	for k, v := range m {
		// The length tells nearly every other header apart at once.
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

// of is the field that a key is, or nil.
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

// Get returns the value under key, or "" as said of [carrier.Table.Get].
func Get[V any](m map[string]V, key string) string {
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

// Keys lists what [Get] can read: one walk, however many headers there are.
func Keys[V any](m map[string]V) []string {
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
	value    string // empty where there is none
	conflict bool
}

func addIf[V any](f *field, same bool, v V) {
	if !same {
		return
	}
	s := Text(v)
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

// Text returns a header's value if it is text, else "". W3C Trace Context allows
// spaces and tabs around a value and makes them no part of it.
func Text[V any](v V) string {
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
