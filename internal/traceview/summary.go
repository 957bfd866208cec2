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
	Waited   time.Duration `json:"waited"`
	Spans    int           `json:"spans"`
	Errors   int           `json:"errors"`
	Dropped  int           `json:"dropped"`
	Services []string      `json:"services"`
	Queues   []string      `json:"queues"`
}

func summarize(tr Trace, t *tree) Summary {
	out := Summary{
		ID: tr.ID.String(), Duration: tr.Duration(), Spans: len(tr.Spans), Errors: tr.Errors(),
		Dropped: tr.Dropped, Services: append([]string{}, tr.Services()...), Queues: queues(tr), Waited: t.waited(),
	}
	out.Start, _ = tr.Bounds()

	if first := t.first(); first != nil {
		out.Service, out.Name = first.Service, first.Name
	}

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

// queues returns the trace's queues, each once, in the order of their first span.
func queues(tr Trace) []string {
	names := []string{}

	seen := make(map[string]struct{})

	for i := range tr.Spans {
		name := queueOf(&tr.Spans[i])
		if _, ok := seen[name]; ok || name == "" {
			continue
		}

		seen[name] = struct{}{}
		names = append(names, name)
	}

	return names
}
