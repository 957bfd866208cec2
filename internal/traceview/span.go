package traceview

import (
	"reflect"
	"time"

	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
)

// Span is a finished span as it was received. Its fields are those of OTLP's
// Span, with the types of OpenTelemetry's API in place of protobuf's, and with
// the resource and the scope it came under.
//
// A stored span is shared by everyone who asked for its trace: do not modify it.
type Span struct {
	TraceID trace.TraceID
	SpanID  trace.SpanID
	// ParentID is zero for a root span.
	ParentID   trace.SpanID
	TraceState string
	// Flags are W3C trace flags in the low eight bits, and OTLP's own above.
	Flags uint32

	Name string
	Kind trace.SpanKind
	// Start and End are zero where the sender left them out.
	Start, End time.Time
	Status     Status

	Attributes Attributes
	Events     []Event
	Links      []Link

	// Service is the resource's service.name, "" where it has none.
	Service  string
	Resource Resource
	Scope    Scope

	// What the sender says it left out. DroppedLinks also counts links that
	// were received with an invalid trace or span id.
	DroppedAttributes, DroppedEvents, DroppedLinks uint32
}

// Status is the outcome of a span. Message is only meaningful for codes.Error.
type Status struct {
	Code    codes.Code
	Message string
}

// Event is something that happened during a span.
type Event struct {
	Time              time.Time
	Name              string
	Attributes        Attributes
	DroppedAttributes uint32
}

// Link points from a span to another, in the same trace or in a different one.
type Link struct {
	TraceID           trace.TraceID
	SpanID            trace.SpanID
	TraceState        string
	Flags             uint32
	Attributes        Attributes
	DroppedAttributes uint32
}

// Resource is what produced the span: a service, its version, its host.
type Resource struct {
	Attributes        Attributes
	SchemaURL         string
	DroppedAttributes uint32
}

// Scope is the instrumentation that made the span.
type Scope struct {
	Name, Version     string
	Attributes        Attributes
	SchemaURL         string
	DroppedAttributes uint32
}

// Duration is the time from Start to End, and 0 where either is missing or
// where they are the wrong way round.
func (s *Span) Duration() time.Duration {
	if s.Start.IsZero() || s.End.IsZero() {
		return 0
	}

	return max(0, s.End.Sub(s.Start))
}

// Failed reports whether the span's status is Error.
func (s *Span) Failed() bool { return s.Status.Code == codes.Error }

// The memory a value takes besides the text in it, so that the store's limit in
// bytes holds for spans with many small parts as well as for few large ones.
var (
	spanSize      = int(reflect.TypeFor[Span]().Size())
	eventSize     = int(reflect.TypeFor[Event]().Size())
	linkSize      = int(reflect.TypeFor[Link]().Size())
	attributeSize = int(reflect.TypeFor[Attribute]().Size())
)

// boxSize is what an interface points to, roughly: a string header or a number.
const boxSize = 16

// size estimates the bytes a span takes, without its resource and scope, which
// it shares with its neighbours.
func (s *Span) size() int {
	n := spanSize + len(s.Name) + len(s.TraceState) + len(s.Status.Message) + s.Attributes.size()
	for i := range s.Events {
		n += eventSize + len(s.Events[i].Name) + s.Events[i].Attributes.size()
	}

	for i := range s.Links {
		n += linkSize + len(s.Links[i].TraceState) + s.Links[i].Attributes.size()
	}

	return n
}

func (r *Resource) size() int { return len(r.SchemaURL) + r.Attributes.size() }

func (s *Scope) size() int {
	return len(s.Name) + len(s.Version) + len(s.SchemaURL) + s.Attributes.size()
}

func (a Attributes) size() int {
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
		return boxSize + v.size()
	default:
		return boxSize
	}
}
