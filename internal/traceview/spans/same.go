package spans

// Sameness is the relation of two spans with one id.
type Sameness int

// What [Compare] finds.
const (
	// Different spans share an id: a client's and its server's, for instance.
	Different Sameness = iota
	// Repeated: the second says nothing that the first does not.
	Repeated
	// Completed: the second is the first one later, when it had ended, say.
	Completed
)

// Compare says what a span is that came under the id of another one of its trace.
//
// Some senders export a span when it starts and again when it ends, and exporters
// send again what was not confirmed; others give a client's span and its server's the
// same id. The span that started at the same time in the same service is the same.
func Compare(first, second *Span) Sameness {
	if !first.Start.Equal(second.Start) || first.Kind != second.Kind || first.Service != second.Service {
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

// Traces puts spans into their traces as they come, in the order of the first span of
// each. Of a span that comes again, the one that has ended counts.
type Traces struct {
	traces []Trace
	places map[[16]byte]*places
}

// places are where a trace is in its list, and each span in the trace.
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

// Last returns the last few of the spans with one id, with which another is compared:
// there may be as many as a trace has spans.
func Last[T any](all []T) []T {
	const few = 4

	return all[max(0, len(all)-few):]
}

// List returns the traces.
func (t *Traces) List() []Trace { return t.traces }
