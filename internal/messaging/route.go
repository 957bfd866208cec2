package messaging

import (
	"sync/atomic"

	"go.opentelemetry.io/otel/attribute"
)

// A Route is what all spans of an operation have in common that are for the same two
// names: an exchange and a routing key, or a queue and a type of task.
type Route struct {
	SpanName string

	first, second string
	attributes    []attribute.KeyValue
}

// Attributes returns a new slice of the route's attributes, with room for n further
// ones. It is new because samplers and processors may keep it.
func (r *Route) Attributes(n int) []attribute.KeyValue {
	return append(make([]attribute.KeyValue, 0, len(r.attributes)+n), r.attributes...)
}

// Routes remembers routes, since joining and checking the same few names for every
// message costs more than anything else that is done for it here. A program that uses
// many names, such as a routing key for each customer, works them out again each time
// and keeps no more than there are slots.
type Routes struct{ slots [16]atomic.Pointer[Route] }

// Find returns the route of two names, or nil if it is not remembered.
func (r *Routes) Find(first, second string) *Route {
	route := r.slot(first, second).Load()
	if route == nil || route.second != second || route.first != first {
		return nil
	}
	return route
}

// Add remembers a route. It keeps the attributes.
func (r *Routes) Add(first, second, spanName string, attributes []attribute.KeyValue) *Route {
	route := &Route{SpanName: spanName, first: first, second: second, attributes: attributes}
	r.slot(first, second).Store(route)
	return route
}

// slot takes what tells names apart most often: their lengths and how they end.
func (r *Routes) slot(first, second string) *atomic.Pointer[Route] {
	n := len(first) + len(second)
	if first != "" {
		n += int(first[len(first)-1])
	}
	if second != "" {
		n += 7 * int(second[len(second)-1])
	}
	return &r.slots[n%len(r.slots)]
}
