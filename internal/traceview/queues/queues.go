// Package queues says what traces tell of the queues that their messages went through:
// who publishes and who consumes, how many, how long they wait, what waits now.
package queues

import (
	"cmp"
	"slices"
	"time"

	"github.com/mqtrace/mqtrace/internal/traceview/messaging"
	"github.com/mqtrace/mqtrace/internal/traceview/spans"
	"github.com/mqtrace/mqtrace/internal/traceview/tree"
)

// Minutes is of how many minutes a queue's messages are counted.
const Minutes = 15

// Queue is what is known of one.
type Queue struct {
	Name string `json:"name"`
	// Exchange: messages went to this exchange, and no span says to which queue.
	Exchange   bool     `json:"exchange,omitempty"`
	System     string   `json:"system,omitempty"`
	Publishers []string `json:"publishers"`
	Consumers  []string `json:"consumers"`

	// PerMinute counts the messages processed in the last minutes, and Last has them by
	// minute, the latest behind.
	PerMinute float64      `json:"perMinute"`
	Last      [Minutes]int `json:"last"`
	Published int          `json:"published"`
	Processed int          `json:"processed"`

	// Waiting is how many messages nothing has consumed, the first since WaitingSince.
	Waiting      int        `json:"waiting"`
	WaitingSince *time.Time `json:"waitingSince,omitempty"`
	// Tenants are those of the messages that wait, Traces some of their traces.
	Tenants []string `json:"tenants"`
	Traces  []string `json:"traces"`

	// Times are in nanoseconds; waits are those of messages that were processed.
	WaitP50       time.Duration `json:"waitP50"`
	WaitP95       time.Duration `json:"waitP95"`
	WaitLongest   time.Duration `json:"waitLongest"`
	ProcessingP50 time.Duration `json:"processingP50"`
	ProcessingP95 time.Duration `json:"processingP95"`

	Failures    int `json:"failures"`
	Retries     int `json:"retries"`
	DeadLetters int `json:"deadLetters"`
}

// Edge is a line of the map: from a service to a queue, or from a queue to a service.
type Edge struct {
	Service   string  `json:"service"`
	Queue     string  `json:"queue"`
	Publishes bool    `json:"publishes"`
	Messages  int     `json:"messages"`
	PerMinute float64 `json:"perMinute"`
	Failures  int     `json:"failures"`
}

// Overview has all queues of the traces, by name.
type Overview struct {
	// At is when the traces were looked at; where all of them are old, the end of the
	// last of them.
	At     time.Time `json:"at"`
	Queues []Queue   `json:"queues"`
	Edges  []Edge    `json:"edges"`
}

// Find looks through traces at a time.
func Find(traces []spans.Trace, now time.Time) Overview {
	f := &finder{
		at: lastEnd(traces, now), queues: make(map[string]*tally), edges: make(map[edgeKey]*Edge),
		routes: make(map[string][]string), taken: make(map[tree.SpanRef]bool),
	}

	trees := make([]*tree.Tree, len(traces))
	for i, tr := range traces {
		trees[i] = tree.New(tr)

		for _, n := range trees[i].Order {
			for _, ref := range tree.Takes(n.Span) {
				f.taken[ref] = true
			}

			f.learn(trees[i], n)
		}
	}

	for _, t := range trees {
		for _, n := range t.Order {
			f.add(t, n)
		}
	}

	return f.overview()
}

// lastEnd is now, but where all traces are older than what is counted.
func lastEnd(traces []spans.Trace, now time.Time) time.Time {
	var last time.Time

	for _, tr := range traces {
		if _, end := tr.Bounds(); end.After(last) {
			last = end
		}
	}

	if last.IsZero() || now.Sub(last) < Minutes*time.Minute {
		return now
	}

	return last
}

type edgeKey struct {
	service, queue string
	publishes      bool
}

// tally is a queue with all of its times.
type tally struct {
	Queue

	publishers, consumers, tenants spans.Names
	waits, processing              []time.Duration
}

type finder struct {
	at     time.Time
	queues map[string]*tally
	edges  map[edgeKey]*Edge
	// routes has the queues that messages of an exchange and key were seen in.
	routes map[string][]string
	taken  map[tree.SpanRef]bool
}

func route(d messaging.Destination) string { return d.Exchange + "\x00" + d.Key }

// learn remembers in which queue a message came out that had gone to an exchange.
func (f *finder) learn(t *tree.Tree, n *tree.Node) {
	if messaging.OperationOf(n.Span) != messaging.Process {
		return
	}

	producer := t.ProducerOf(n)
	if producer == nil {
		return
	}

	from, to := messaging.DestinationOf(producer.Span), messaging.DestinationOf(n.Span)
	if from.Exchange != "" && to.Queue != "" && !slices.Contains(f.routes[route(from)], to.Queue) {
		f.routes[route(from)] = append(f.routes[route(from)], to.Queue)
	}
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
	d := messaging.DestinationOf(n.Span)

	names := []string{d.Queue}
	if d.Queue == "" {
		names = f.routes[route(d)]
	}

	exchange := len(names) == 0
	if exchange {
		names = []string{d.Exchange}
	}

	for _, name := range names {
		if name == "" {
			continue
		}

		q := f.queue(name, n.Span)
		q.Exchange = exchange
		q.publishers.Add(n.Span.Service)
		q.Published += messaging.Messages(n.Span)
		f.edge(n, name, true)

		if tree.Sent(n.Span) && !f.taken[tree.SpanRef{TraceID: n.Span.TraceID, SpanID: n.Span.SpanID}] {
			q.wait(t, n)
		}
	}
}

const maxTraces = 20

// wait notes a message that nothing has consumed.
func (q *tally) wait(t *tree.Tree, n *tree.Node) {
	if q.Waiting++; q.WaitingSince == nil || n.Span.End.Before(*q.WaitingSince) {
		since := n.Span.End
		q.WaitingSince = &since
	}

	if id := t.Trace.ID.String(); len(q.Traces) < maxTraces && !slices.Contains(q.Traces, id) {
		q.Traces = append(q.Traces, id)
	}

	// The tenant may be an attribute of any span above.
	for at := n; at != nil && at.Span != nil; at = at.Parent {
		if tenant, ok := at.Span.Attributes.Get("tenant.id"); ok {
			q.tenants.Add(spans.FormatValue(tenant))

			return
		}
	}
}

func (f *finder) processed(n *tree.Node) {
	s := n.Span

	d := messaging.DestinationOf(s)
	if d.Queue == "" {
		return
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
		q.processing = append(q.processing, s.Duration())
	}

	if s.Failed() {
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

// rateMinutes is over how many minutes a rate is taken.
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

// quantiles returns the median, the 95th percentile, and the longest.
func quantiles(all []time.Duration) (p50, p95, longest time.Duration) {
	if len(all) == 0 {
		return 0, 0, 0
	}

	slices.Sort(all)

	at := func(percent int) time.Duration { return all[(len(all)*percent+99)/100-1] }

	return at(50), at(95), all[len(all)-1]
}
