package queues

import (
	"slices"
	"time"

	"github.com/mqtrace/mqtrace/internal/traceview/spans"
	"github.com/mqtrace/mqtrace/internal/traceview/tree"
)

// tally is a queue with all of its waits and durations.
type tally struct {
	Queue

	publishers, consumers, tenants spans.Names
	waits, processing              []time.Duration
}

const maxTraces = 20

// wait records a message that nothing has consumed.
func (q *tally) wait(t *tree.Tree, n *tree.Node, w *tree.Waiting) {
	if w.Scheduled() {
		if q.Scheduled++; q.NextDue == nil || w.Since.Before(*q.NextDue) {
			q.NextDue = &w.Since
		}

		return
	}

	if q.Waiting++; q.WaitingSince == nil || w.Since.Before(*q.WaitingSince) {
		q.WaitingSince = &w.Since
	}

	if id := t.Trace.ID.String(); len(q.Traces) < maxTraces && !slices.Contains(q.Traces, id) {
		q.Traces = append(q.Traces, id)
	}

	// The tenant may be an attribute of any ancestor.
	for at := n; at != nil && at.Span != nil; at = at.Parent {
		if tenant, ok := at.Span.Attributes.Get("tenant.id"); ok {
			q.tenants.Add(spans.FormatValue(tenant))

			return
		}
	}
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
