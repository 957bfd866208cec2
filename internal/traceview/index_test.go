package traceview_test

import (
	"fmt"
	"slices"
	"testing"

	"go.opentelemetry.io/otel/trace"

	"github.com/mqtrace/mqtrace/internal/traceview"
)

func linkingIDs(store *traceview.Store, id trace.TraceID) []trace.TraceID {
	var ids []trace.TraceID
	for _, tr := range store.Linking(id) {
		ids = append(ids, tr.ID)
	}

	return ids
}

func TestStoreKnowsWhoLinksToATrace(t *testing.T) {
	store := traceview.NewStore(traceview.Limits{Traces: 3})
	to := func(n uint64) traceview.Link { return traceview.Link{TraceID: traceID(n), SpanID: spanID(1)} }

	// 1 is linked to before it comes, twice by the same trace, and by itself.
	store.Add(linked(spanOf(3, 1), to(1), to(1)), linked(spanOf(2, 1), to(1), to(9)), linked(spanOf(1, 1), to(1)))

	if got := linkingIDs(store, traceID(1)); !slices.Equal(got, []trace.TraceID{traceID(2), traceID(3)}) {
		t.Errorf("to 1: %v", got)
	}

	if got := linkingIDs(store, traceID(9)); !slices.Equal(got, []trace.TraceID{traceID(2)}) {
		t.Errorf("to 9, which is not here: %v", got)
	}

	store.Add(spanOf(4, 1), spanOf(5, 1)) // 3 and 2 are given up.

	for _, n := range []uint64{1, 9} {
		if got := linkingIDs(store, traceID(n)); len(got) != 0 {
			t.Errorf("to %d: %v", n, got)
		}
	}
}

func TestStoreRevision(t *testing.T) {
	store := traceview.NewStore(traceview.Limits{Traces: 1, SpansPerTrace: 1})
	before := store.Revision()

	changed := func(what string, want bool) {
		t.Helper()

		if now := store.Revision(); (now != before) != want {
			t.Errorf("%s: changed %v", what, !want)
		} else {
			before = now
		}
	}

	store.Add(spanOf(1, 1))
	changed("a span", true)
	store.Add(spanOf(1, 1))
	changed("the same again", false)
	store.Add(spanOf(1, 2))
	changed("one that is dropped", true)
	store.Add()
	changed("nothing", false)
}

func TestStoreRemembersNames(t *testing.T) {
	store := traceview.NewStore(traceview.Limits{Traces: 1})
	for n := range uint64(1200) {
		s := with(spanOf(n, 1), "messaging.system", "rabbitmq")
		s.Service, s.Name = fmt.Sprint("service ", n/2), fmt.Sprint("process queue-", n/3)
		store.Add(s)
	}

	if got := store.Services(); len(got) != 600 || got[0] != "service 0" || got[599] != "service 599" {
		t.Errorf("services: %d", len(got))
	}

	if got := store.Queues(); len(got) != 400 || got[1] != "queue-1" {
		t.Errorf("queues: %d", len(got))
	}

	for n := range uint64(1200) {
		s := spanOf(n, 2)
		s.Service = fmt.Sprint("other ", n)
		store.Add(s)
	}

	if got := store.Services(); len(got) != 1000 {
		t.Errorf("services: %d", len(got))
	}
}
