package spans

import "reflect"

// The memory that a value takes in addition to its text, so that the store's limit in bytes
// holds both for spans with many small parts and for spans with few large ones.
var (
	spanSize      = int(reflect.TypeFor[Span]().Size())
	eventSize     = int(reflect.TypeFor[Event]().Size())
	linkSize      = int(reflect.TypeFor[Link]().Size())
	attributeSize = int(reflect.TypeFor[Attribute]().Size())
)

// boxSize is roughly the size of what an interface points to: a string header or a number.
const boxSize = 16

// Size estimates the bytes that a span takes, without its resource and scope, which it
// shares with other spans.
func (s *Span) Size() int {
	n := spanSize + len(s.Name) + len(s.TraceState) + len(s.Status.Message) + s.Attributes.Size()
	for i := range s.Events {
		n += eventSize + len(s.Events[i].Name) + s.Events[i].Attributes.Size()
	}

	for i := range s.Links {
		n += linkSize + len(s.Links[i].TraceState) + s.Links[i].Attributes.Size()
	}

	return n
}

// Size estimates the bytes that a resource takes.
func (r *Resource) Size() int { return len(r.SchemaURL) + r.Attributes.Size() }

// Size estimates the bytes that a scope takes.
func (s *Scope) Size() int {
	return len(s.Name) + len(s.Version) + len(s.SchemaURL) + s.Attributes.Size()
}

// Size estimates the bytes that attributes take.
func (a Attributes) Size() int {
	n := 0
	for i := range a {
		n += attributeSize + len(a[i].Key) + valueSize(a[i].Value)
	}

	return n
}

func valueSize(v any) int {
	switch v := v.(type) {
	case string:
		return boxSize + len(v)
	case []byte:
		return boxSize + len(v)
	case []any:
		n := boxSize
		for i := range v {
			n += boxSize + valueSize(v[i])
		}

		return n
	case Attributes:
		return boxSize + v.Size()
	default:
		return boxSize
	}
}
