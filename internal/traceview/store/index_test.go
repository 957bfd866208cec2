package store_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/mqtrace/mqtrace/internal/traceview/sample"
	"github.com/mqtrace/mqtrace/internal/traceview/spans"
	"github.com/mqtrace/mqtrace/internal/traceview/store"
)

func linkingIDs(kept *store.Store, id trace.TraceID) []trace.TraceID {
	var ids []trace.TraceID
	for _, tr := range kept.Linking(id) {
		ids = append(ids, tr.ID)
	}

	return ids
}

func TestStoreKnowsWhoLinksToATrace(t *testing.T) {
	kept := store.New(store.Limits{Traces: 3})
	to := func(n uint64) spans.Link { return spans.Link{TraceID: sample.TraceID(n), SpanID: sample.SpanID(1)} }

	// 1 is linked to before it comes, twice by the same trace, and by itself.
	kept.Add(sample.Linked(sample.SpanOf(3, 1), to(1), to(1)), sample.Linked(sample.SpanOf(2, 1), to(1), to(9)), sample.Linked(sample.SpanOf(1, 1), to(1)))

	if got := linkingIDs(kept, sample.TraceID(1)); !slices.Equal(got, []trace.TraceID{sample.TraceID(2), sample.TraceID(3)}) {
		t.Errorf("to 1: %v", got)
	}

	if got := linkingIDs(kept, sample.TraceID(9)); !slices.Equal(got, []trace.TraceID{sample.TraceID(2)}) {
		t.Errorf("to 9, which is missing: %v", got)
	}

	kept.Add(sample.SpanOf(4, 1), sample.SpanOf(5, 1)) // 3 and 2 are dropped.

	for _, n := range []uint64{1, 9} {
		if got := linkingIDs(kept, sample.TraceID(n)); len(got) != 0 {
			t.Errorf("to %d: %v", n, got)
		}
	}
}

func TestStoreRevision(t *testing.T) {
	kept := store.New(store.Limits{Traces: 1, SpansPerTrace: 1})
	before := kept.Revision()

	changed := func(what string, want bool) {
		t.Helper()

		if now := kept.Revision(); (now != before) != want {
			t.Errorf("%s: changed %v", what, !want)
		} else {
			before = now
		}
	}

	kept.Add(sample.SpanOf(1, 1))
	changed("a span", true)
	kept.Add(sample.SpanOf(1, 1))
	changed("the same again", false)
	kept.Add(sample.SpanOf(1, 2))
	changed("one that is dropped", true)
	kept.Add()
	changed("nothing", false)
}

func TestStoreRemembersNames(t *testing.T) {
	kept := store.New(store.Limits{Traces: 1})
	for n := range uint64(1200) {
		s := sample.With(sample.SpanOf(n, 1), "messaging.system", "rabbitmq")
		s.Kind = sample.Consumer
		s.Service, s.Name = fmt.Sprint("service ", n/2), fmt.Sprint("process queue-", n/3)
		kept.Add(s)
	}

	if got := kept.Services(); len(got) != 600 || got[0] != "service 0" || got[599] != "service 599" {
		t.Errorf("services: %d", len(got))
	}

	if got := kept.Queues(); len(got) != 400 || got[1] != "queue-1" {
		t.Errorf("queues: %d", len(got))
	}

	for n := range uint64(1200) {
		s := sample.SpanOf(n, 2)
		s.Service = fmt.Sprint("other ", n)
		kept.Add(s)
	}

	if got := kept.Services(); len(got) != 1000 {
		t.Errorf("services: %d", len(got))
	}
}

// The finished version of a span may lack a link of the earlier one.
func TestStoreForgetsLinksOfReplacedSpans(t *testing.T) {
	kept := store.New(store.Limits{Traces: 1})
	started := sample.Linked(sample.SpanOf(2, 1), spans.Link{TraceID: sample.TraceID(1), SpanID: sample.SpanID(1)})
	finished := sample.SpanOf(2, 1)
	started.End = time.Time{}
	kept.Add(started, finished)
	kept.Add(sample.SpanOf(3, 1)) // 2 is dropped
	kept.Add(sample.SpanOf(2, 1))

	if got := linkingIDs(kept, sample.TraceID(1)); len(got) != 0 {
		t.Errorf("%v links to a trace that it has no link to", got)
	}
}
