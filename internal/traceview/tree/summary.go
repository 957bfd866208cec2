package tree

import (
	"time"

	"github.com/mqtrace/mqtrace/internal/traceview/messaging"
	"github.com/mqtrace/mqtrace/internal/traceview/spans"
	"github.com/mqtrace/mqtrace/internal/traceview/textfmt"
)

// Summary is the line for a trace in a list.
type Summary struct {
	ID string `json:"id"`
	// Service and Name are from the first span: the root, if it has arrived.
	Service string `json:"service"`
	Name    string `json:"name"`
	// Start is zero if no span has one. Durations are in nanoseconds.
	Start    time.Time     `json:"start"`
	Duration time.Duration `json:"duration"`
	// Waited is the total time that messages spent in queues; with WaitedUpTo, an upper
	// bound.
	Waited     time.Duration `json:"waited"`
	WaitedUpTo bool          `json:"waitedUpTo,omitempty"`
	Spans      int           `json:"spans"`
	Errors     int           `json:"errors"`
	Dropped    int           `json:"dropped"`
	// NotConsumed counts messages that nothing has processed, the first of them since
	// NotConsumedSince.
	NotConsumed      int        `json:"notConsumed,omitempty"`
	NotConsumedSince *time.Time `json:"notConsumedSince,omitempty"`
	// Scheduled counts messages that are not due yet; the first is due at NextDue.
	Scheduled int        `json:"scheduled,omitempty"`
	NextDue   *time.Time `json:"nextDue,omitempty"`
	// LeftOut counts values of the trace's spans that could not be read.
	LeftOut int `json:"leftOut,omitempty"`
	// Services and Queues are in the order of their first span.
	Services []string `json:"services"`
	Queues   []string `json:"queues"`
}

// Summarize returns the summary of a trace.
func (t *Tree) Summarize() Summary {
	tr := t.Trace
	out := Summary{
		ID: tr.ID.String(), Duration: tr.Duration(),
		Spans: len(tr.Spans), Errors: tr.Errors(), Dropped: tr.Dropped,
	}
	out.Waited, out.WaitedUpTo = t.Waited()
	out.Start, _ = tr.Bounds()

	if count, since := t.Waiting(); count > 0 {
		out.NotConsumed, out.NotConsumedSince = count, &since
	}

	if count, due := t.Scheduled(); count > 0 {
		out.Scheduled, out.NextDue = count, &due
	}

	if first := t.First(); first != nil {
		out.Service, out.Name = textfmt.Printable(first.Service, MaxName), SpanName(first)
	}

	services, queues := spans.NewNames(), spans.NewNames()

	for _, n := range t.Order {
		services.Add(n.Span.Service)
		queues.Add(messaging.DestinationOf(n.Span).Queue)

		out.LeftOut += int(n.Span.LeftOut)
	}

	out.Services, out.Queues = services.List, queues.List

	return out
}
