// Package spans defines the spans of a trace as they were received, with the types of
// OpenTelemetry's API in place of OTLP's.
package spans

import (
	"encoding/hex"
	"time"

	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
)

// Span is a finished span as it was received. It has the fields of OTLP's Span, with the
// types of OpenTelemetry's API in place of protobuf's, and the resource and the scope that
// it came with.
//
// A stored span is shared by all readers of its trace: do not modify it.
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
	// Start and End are zero if the sender left them out.
	Start, End time.Time
	Status     Status

	Attributes Attributes
	Events     []Event
	Links      []Link

	// Service is the resource's service.name, "" if it has none.
	Service  string
	Resource Resource
	Scope    Scope

	// LeftOut counts the values of the span that were left out because they could not be
	// read or do not belong in OTLP.
	LeftOut uint32

	// What the sender reports as left out. DroppedLinks also counts links that were
	// received with an invalid trace or span id.
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

// Scope is the instrumentation that created the span.
type Scope struct {
	Name, Version     string
	Attributes        Attributes
	SchemaURL         string
	DroppedAttributes uint32
}

// Duration returns the time from Start to End, or 0 if either is missing or End is before
// Start.
func (s *Span) Duration() time.Duration {
	if s.Start.IsZero() || s.End.IsZero() {
		return 0
	}

	return max(0, s.End.Sub(s.Start))
}

// Failed reports whether the span's status is Error.
func (s *Span) Failed() bool { return s.Status.Code == codes.Error }

// ParseTraceID parses the 32 hexadecimal digits of a trace id, in either letter case.
func ParseTraceID(text string) (id trace.TraceID, ok bool) {
	if len(text) != hex.EncodedLen(len(id)) {
		return id, false
	}

	_, err := hex.Decode(id[:], []byte(text))

	return id, err == nil && id.IsValid()
}
