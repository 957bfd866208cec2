package spans

import "go.opentelemetry.io/otel/trace"

// Sameness is the relation between two spans with the same id.
type Sameness int

// The results of [Compare].
const (
	// Different: two spans that share an id, a client's and its server's for instance.
	Different Sameness = iota
	// Repeated: the second adds nothing to the first.
	Repeated
	// Completed: the second is a later version of the first, for instance after it ended.
	Completed
)

// Compare returns how a span relates to an earlier one of its trace with the same id.
//
// Some senders export a span when it starts and again when it ends, and exporters resend
// what was not confirmed; others give a client's span and its server's the same id. Two
// spans that started at the same time in the same service are the same. The one that was
// exported before its end may not have its kind yet.
func Compare(first, second *Span) Sameness {
	if !first.Start.Equal(second.Start) || first.Service != second.Service {
		return Different
	}

	if first.Kind != second.Kind && !early(first) && !early(second) {
		return Different
	}

	switch {
	case second.End.IsZero() && !first.End.IsZero():
		return Repeated
	case first.End.IsZero() && !second.End.IsZero():
		return Completed
	case first.Name == second.Name && first.End.Equal(second.End) && first.Status == second.Status &&
		len(first.Attributes) == len(second.Attributes) && len(first.Events) == len(second.Events):
		return Repeated
	case first.End.IsZero():
		return Completed
	default:
		return Different
	}
}

func early(s *Span) bool { return s.End.IsZero() && s.Kind == trace.SpanKindUnspecified }

// Traces groups spans into traces as they come, in the order of the first span of each. If
// a span comes again, the version that has ended counts.
type Traces struct {
	traces []Trace
	places map[[16]byte]*places
}

// places are the position of a trace in its list, and of each span in the trace.
type places struct {
	trace int
	spans map[[8]byte][]int
}

// Add adds a span.
func (t *Traces) Add(s Span) {
	if t.places == nil {
		t.places = make(map[[16]byte]*places)
	}

	p := t.places[s.TraceID]
	if p == nil {
		p = &places{trace: len(t.traces), spans: make(map[[8]byte][]int)}
		t.places[s.TraceID] = p
		t.traces = append(t.traces, Trace{ID: s.TraceID})
	}

	tr := &t.traces[p.trace]

	for _, i := range Last(p.spans[s.SpanID]) {
		switch Compare(&tr.Spans[i], &s) {
		case Repeated:
			return
		case Completed:
			tr.Spans[i] = s

			return
		case Different:
		}
	}

	p.spans[s.SpanID] = append(p.spans[s.SpanID], len(tr.Spans))
	tr.Spans = append(tr.Spans, s)
}

// Last returns the last few of the spans with one id, with which another is compared.
// Comparing with all could take a very long time, because all spans of a trace may have the
// same id.
func Last[T any](all []T) []T {
	const few = 4

	return all[max(0, len(all)-few):]
}

// List returns the traces.
func (t *Traces) List() []Trace { return t.traces }
