package traceview

import "time"

// Summary is a trace's line in a list.
type Summary struct {
	ID string `json:"id"`
	// Service and Name are those of the first span: the root, where it has come.
	Service string `json:"service"`
	Name    string `json:"name"`
	// Start is zero where no span has one. Durations are in nanoseconds.
	Start    time.Time     `json:"start"`
	Duration time.Duration `json:"duration"`
	// Waited is how long messages lay in queues, all together.
	Waited  time.Duration `json:"waited"`
	Spans   int           `json:"spans"`
	Errors  int           `json:"errors"`
	Dropped int           `json:"dropped"`
	// Services and Queues are in the order of their first span.
	Services []string `json:"services"`
	Queues   []string `json:"queues"`
}

func summarize(tr Trace, t *tree) Summary {
	out := Summary{
		ID: tr.ID.String(), Duration: tr.Duration(), Waited: t.waited(),
		Spans: len(tr.Spans), Errors: tr.Errors(), Dropped: tr.Dropped,
	}
	out.Start, _ = tr.Bounds()

	if first := t.first(); first != nil {
		out.Service, out.Name = printable(first.Service, maxNameText), spanName(first)
	}

	services, queues := newNames(), newNames()
	for _, n := range t.order {
		services.add(n.span.Service)
		queues.add(queueOf(n.span))
	}

	out.Services, out.Queues = services.list, queues.list

	return out
}

// first returns the span that a trace is named after: its first root, else, where
// that has not come, its first span.
func (t *tree) first() *Span {
	for _, n := range t.roots {
		if n.span != nil && !n.span.ParentID.IsValid() {
			return n.span
		}
	}

	if len(t.order) > 0 {
		return t.order[0].span
	}

	return nil
}
