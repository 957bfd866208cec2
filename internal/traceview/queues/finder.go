package queues

import (
	"cmp"
	"slices"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/mqtrace/mqtrace/internal/traceview/messaging"
	"github.com/mqtrace/mqtrace/internal/traceview/spans"
	"github.com/mqtrace/mqtrace/internal/traceview/tree"
)

// FindIn returns the overview of the traces of a file, which does not show what happened
// after it was written.
func FindIn(traces []spans.Trace, now time.Time) Overview {
	return Find(traces, lastEnd(traces, now, Minutes*time.Minute))
}

// Find returns the overview of traces at the given time.
func Find(traces []spans.Trace, now time.Time) Overview {
	takers := tree.TakersIn(traces)
	f := &finder{
		at: lastEnd(traces, now, tree.ShownFor), queues: make(map[string]*tally), edges: make(map[edgeKey]*Edge),
		routes: tree.LearnRoutes(traces, takers), takers: takers,
	}

	for _, tr := range traces {
		t := tree.New(tr)
		for _, n := range t.Order {
			f.add(t, n)
		}
	}

	return f.overview()
}

// lastEnd returns now or, if all traces ended at least that long ago, the end of the last
// one.
func lastEnd(traces []spans.Trace, now time.Time, longAgo time.Duration) time.Time {
	var last time.Time

	for _, tr := range traces {
		if _, end := tr.Bounds(); end.After(last) {
			last = end
		}
	}

	if last.IsZero() || now.Sub(last) < longAgo {
		return now
	}

	return last
}

type edgeKey struct {
	service, queue string
	publishes      bool
}

// finder collects what the spans of all traces reveal about their queues.
type finder struct {
	at     time.Time
	queues map[string]*tally
	edges  map[edgeKey]*Edge
	routes *tree.Routes
	takers tree.Takers
}

func (f *finder) queue(name string, s *spans.Span) *tally {
	q := f.queues[name]
	if q == nil {
		q = &tally{Queue: Queue{Name: name}, publishers: spans.NewNames(), consumers: spans.NewNames(), tenants: spans.NewNames()}
		f.queues[name] = q
	}

	q.System = cmp.Or(q.System, messaging.System(s))

	return q
}

func (f *finder) add(t *tree.Tree, n *tree.Node) {
	switch messaging.OperationOf(n.Span) {
	case messaging.Send:
		f.sent(t, n)
	case messaging.Process:
		f.processed(n)
	default:
	}
}

// sent counts a message in the queues that it went to, as far as they are known.
func (f *finder) sent(t *tree.Tree, n *tree.Node) {
	if !n.Sends() {
		return
	}

	d := messaging.DestinationOf(n.Span)

	names := []string{d.Queue}
	if d.Queue == "" {
		names = f.routes.Queues(d)
	}

	exchange := len(names) == 0
	if exchange {
		names = []string{d.Exchange}
	}

	in, waits := f.routes.WaitsIn(n.Span, n.TakenBy(func(id trace.SpanID) []*spans.Span {
		return f.takers[tree.SpanRef{TraceID: n.Span.TraceID, SpanID: id}]
	}))

	for _, name := range names {
		if name == "" {
			continue
		}

		q := f.queue(name, n.Span)
		q.Exchange = exchange
		q.publishers.Add(n.Span.Service)
		q.Published += messaging.Messages(n.Span)
		f.edge(n, name, true)

		if waits && (len(in) == 0 || slices.Contains(in, name)) {
			q.wait(t, n, tree.NewWaiting(n.Span, f.at, nil))
		}
	}
}

func (f *finder) processed(n *tree.Node) {
	s := n.Span

	d := messaging.DestinationOf(s)
	if d.Queue == "" || n.ShownBy != nil {
		return
	}

	took, failed := s.Duration(), s.Failed()
	for _, view := range n.Views {
		took, failed = max(took, view.Span.Duration()), failed || view.Span.Failed()
	}

	q := f.queue(d.Queue, s)
	count := messaging.Messages(s)

	q.consumers.Add(s.Service)
	q.Processed += count
	f.edge(n, d.Queue, false)

	if minute := int(f.at.Sub(s.Start) / time.Minute); minute >= 0 && minute < Minutes {
		q.Last[Minutes-1-minute] += count
	}

	if n.Wait != nil && !n.Wait.Retry {
		q.waits = append(q.waits, n.Wait.Duration())
	}

	if !s.End.IsZero() {
		q.processing = append(q.processing, took)
	}

	if failed {
		q.Failures++
	}

	if n.Attempt > 1 {
		q.Retries++
	}

	if dead, _, _ := messaging.DeadLetters(s); dead > 0 {
		q.DeadLetters++
	}
}

func (f *finder) edge(n *tree.Node, queue string, publishes bool) {
	key := edgeKey{n.Span.Service, queue, publishes}

	e := f.edges[key]
	if e == nil {
		e = &Edge{Service: n.Span.Service, Queue: queue, Publishes: publishes}
		f.edges[key] = e
	}

	e.Messages += messaging.Messages(n.Span)

	if age := f.at.Sub(n.Span.Start); age >= 0 && age < rateMinutes*time.Minute {
		e.PerMinute += float64(messaging.Messages(n.Span)) / rateMinutes
	}

	if n.Span.Failed() {
		e.Failures++
	}
}

// rateMinutes is the number of minutes over which a rate is computed.
const rateMinutes = 5

func (f *finder) overview() Overview {
	out := Overview{At: f.at, Queues: []Queue{}, Edges: []Edge{}}

	for _, q := range f.queues {
		q.Publishers, q.Consumers, q.Tenants = q.publishers.List, q.consumers.List, q.tenants.List
		if q.Traces == nil {
			q.Traces = []string{}
		}

		for _, n := range q.Last[Minutes-rateMinutes:] {
			q.PerMinute += float64(n) / rateMinutes
		}

		q.WaitP50, q.WaitP95, q.WaitLongest = quantiles(q.waits)
		q.ProcessingP50, q.ProcessingP95, _ = quantiles(q.processing)
		out.Queues = append(out.Queues, q.Queue)
	}

	for _, e := range f.edges {
		out.Edges = append(out.Edges, *e)
	}

	slices.SortFunc(out.Queues, func(a, b Queue) int { return cmp.Compare(a.Name, b.Name) })
	slices.SortFunc(out.Edges, func(a, b Edge) int {
		return cmp.Or(cmp.Compare(a.Queue, b.Queue), cmp.Compare(a.Service, b.Service))
	})

	return out
}
