package traceview_test

import (
	"encoding/binary"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/mqtrace/mqtrace/internal/traceview"
)

func traceID(n uint64) (id trace.TraceID) {
	binary.BigEndian.PutUint64(id[:], 1)
	binary.BigEndian.PutUint64(id[8:], n)

	return id
}

func spanOf(traceNumber, n uint64) traceview.Span {
	s := spanAt(n, 0, "svc", "span", internal, 0, 1)
	s.TraceID = traceID(traceNumber)

	return s
}

func TestStoreKeepsTracesInOrderOfArrival(t *testing.T) {
	store := traceview.NewStore(traceview.Limits{})
	store.Add(spanOf(2, 1), spanOf(1, 1), spanOf(3, 1), spanOf(2, 2))

	want := []trace.TraceID{traceID(2), traceID(1), traceID(3)}
	if got := store.TraceIDs(); !reflect.DeepEqual(got, want) {
		t.Errorf("ids: %v", got)
	}

	traces := store.Traces()
	if len(traces) != 3 || traces[0].ID != traceID(2) || len(traces[0].Spans) != 2 || traces[2].ID != traceID(3) {
		t.Errorf("traces: %+v", traces)
	}

	if _, ok := store.Trace(traceID(4)); ok {
		t.Error("an unknown trace is there")
	}
}

func TestStoreRefusesInvalidAndRepeatedSpans(t *testing.T) {
	store := traceview.NewStore(traceview.Limits{})
	noTrace, noSpan := spanOf(1, 1), spanOf(1, 1)
	noTrace.TraceID, noSpan.SpanID = trace.TraceID{}, trace.SpanID{}

	got := store.Add(spanOf(1, 1), spanOf(1, 1), noTrace, noSpan, spanOf(2, 1))
	if want := (traceview.AddResult{Stored: 2, Duplicate: 1, Invalid: 2}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}

	if stats := store.Stats(); stats.Traces != 2 || stats.Spans != 2 || stats.DuplicateSpans != 1 || stats.InvalidSpans != 2 {
		t.Errorf("%+v", stats)
	}
}

func TestStoreGivesUpTheOldestTrace(t *testing.T) {
	store := traceview.NewStore(traceview.Limits{Traces: 3})
	for n := range uint64(5) {
		store.Add(spanOf(n, 1), spanOf(n, 2))
	}

	if got, want := store.TraceIDs(), []trace.TraceID{traceID(2), traceID(3), traceID(4)}; !reflect.DeepEqual(got, want) {
		t.Errorf("ids: %v", got)
	}

	stats := store.Stats()
	if stats.Traces != 3 || stats.Spans != 6 || stats.EvictedTraces != 2 || stats.EvictedSpans != 4 || stats.DroppedSpans != 0 {
		t.Errorf("%+v", stats)
	}
}

func TestStoreDoesNotGiveUpTheTraceThatGrows(t *testing.T) {
	store := traceview.NewStore(traceview.Limits{Spans: 4})
	store.Add(spanOf(1, 1), spanOf(2, 1), spanOf(3, 1))

	// The oldest trace grows at the cost of the others, and then no more.
	got := store.Add(spanOf(1, 2), spanOf(1, 3), spanOf(1, 4), spanOf(1, 5), spanOf(1, 6))
	if got.Stored != 3 || got.Dropped != 2 {
		t.Errorf("got %+v", got)
	}

	if tr, _ := store.Trace(traceID(1)); len(tr.Spans) != 4 || tr.Dropped != 2 {
		t.Errorf("%+v", tr)
	}

	if ids := store.TraceIDs(); len(ids) != 1 {
		t.Errorf("ids: %v", ids)
	}
}

func TestStoreLimitsOneTrace(t *testing.T) {
	store := traceview.NewStore(traceview.Limits{Spans: 10, SpansPerTrace: 2})
	if got := store.Add(spanOf(1, 1), spanOf(2, 1), spanOf(1, 2), spanOf(1, 3)); got.Stored != 3 || got.Dropped != 1 {
		t.Errorf("got %+v", got)
	}

	if stats := store.Stats(); stats.EvictedTraces != 0 || stats.DroppedSpans != 1 {
		t.Errorf("%+v", stats)
	}
}

func TestStoreLimitsBytes(t *testing.T) {
	const limit = 1 << 20

	store := traceview.NewStore(traceview.Limits{Bytes: limit})

	for n := range uint64(100) {
		store.Add(with(spanOf(n, 1), "body", strings.Repeat("x", 100<<10)))

		if stats := store.Stats(); stats.Bytes > limit {
			t.Fatalf("%+v", stats)
		}
	}

	if stats := store.Stats(); stats.Traces < 8 || stats.Traces > 10 {
		t.Errorf("%+v", stats)
	}

	// What can never fit costs no other trace its place.
	before := store.Stats().Traces
	for _, span := range []traceview.Span{
		with(spanOf(500, 1), "body", strings.Repeat("x", limit)),
		with(spanOf(501, 1), "bytes", make([]byte, limit)),
		with(spanOf(502, 1), "list", make([]any, limit/16)),
		with(spanOf(503, 1), "map", traceview.Attributes{{Key: strings.Repeat("x", limit)}}),
		linked(spanOf(504, 1), make([]traceview.Link, limit/64)...),
		{TraceID: traceID(505), SpanID: spanID(1), Events: make([]traceview.Event, limit/64)},
		{TraceID: traceID(506), SpanID: spanID(1), Name: strings.Repeat("x", limit)},
		{TraceID: traceID(507), SpanID: spanID(1), Resource: traceview.Resource{Attributes: make(traceview.Attributes, limit/32)}},
		{TraceID: traceID(508), SpanID: spanID(1), Scope: traceview.Scope{Name: strings.Repeat("x", limit)}},
	} {
		if got := store.Add(span); got.Dropped != 1 {
			t.Errorf("%s: %+v", span.TraceID, got)
		}
	}

	if after := store.Stats().Traces; after != before {
		t.Errorf("%d traces of %d are left", after, before)
	}
}

// A resource is shared by the spans of a request and takes memory once.
func TestStoreCountsSharedResourcesOnce(t *testing.T) {
	store := traceview.NewStore(traceview.Limits{})
	resource := traceview.Resource{Attributes: traceview.Attributes{{Key: "big", Value: strings.Repeat("x", 1<<20)}}}

	for n := range uint64(100) {
		s := spanOf(1, n+1)
		s.Resource = resource
		store.Add(s)
	}

	if stats := store.Stats(); stats.Bytes < 1<<20 || stats.Bytes > 2<<20 {
		t.Errorf("%+v", stats)
	}
}

func TestStoreAccountsToZero(t *testing.T) {
	store := traceview.NewStore(traceview.Limits{Traces: 1})
	for n := range uint64(50) {
		s := with(spanOf(n%7, n+1), "k", []any{"v", int64(1), traceview.Attributes{{Key: "k", Value: []byte("v")}}})
		s.Resource.Attributes = traceview.Attributes{{Key: "service.name", Value: "svc"}}
		store.Add(s)
	}

	one := traceview.NewStore(traceview.Limits{})
	one.Add(spanOf(1, 1))
	store.Add(spanOf(99, 1)) // gives up whatever was there

	if got, want := store.Stats().Bytes, one.Stats().Bytes; got != want {
		t.Errorf("%d bytes, want %d", got, want)
	}
}

func TestSnapshotDoesNotChange(t *testing.T) {
	store := traceview.NewStore(traceview.Limits{})
	store.Add(spanOf(1, 1))

	before, _ := store.Trace(traceID(1))
	for n := range uint64(100) {
		store.Add(spanOf(1, n+2))
	}

	if len(before.Spans) != 1 {
		t.Errorf("%d spans", len(before.Spans))
	}

	// Appending to a snapshot does not write to the store either.
	after, _ := store.Trace(traceID(1))
	grow(before.Spans)

	if after.Spans[1].SpanID != spanID(2) {
		t.Errorf("got %s", after.Spans[1].SpanID)
	}
}

func grow(spans []traceview.Span) []traceview.Span { return append(spans, spanOf(9, 9)) }

func TestTraceSummary(t *testing.T) {
	tr := orderTrace()

	if got, want := tr.Services(), []string{"order-api", "payment", "notification", "email-worker"}; !reflect.DeepEqual(got, want) {
		t.Errorf("services: %v", got)
	}

	if tr.Errors() != 1 || tr.Duration() != 1498600*time.Microsecond {
		t.Errorf("%d errors, %v", tr.Errors(), tr.Duration())
	}

	if s, ok := tr.Span(spanID(5)); !ok || s.Name != "POST /charge" {
		t.Errorf("%v %+v", ok, s)
	}

	if _, ok := tr.Span(spanID(50)); ok {
		t.Error("a span that is not there")
	}

	if start, end := (traceview.Trace{}).Bounds(); !start.IsZero() || !end.IsZero() {
		t.Errorf("%v %v", start, end)
	}
}

func TestStoreConcurrently(t *testing.T) {
	const writers, each = 8, 300

	store := traceview.NewStore(traceview.Limits{Traces: 20, Spans: 500})
	done := make(chan struct{})

	var readers, all sync.WaitGroup

	for w := range uint64(writers) {
		all.Go(func() {
			for n := range uint64(each) {
				store.Add(spanOf(n%40, w*each+n+1), spanOf(1000, w*each+n+1))
			}
		})
	}

	for range 4 {
		readers.Go(func() {
			for {
				for _, tr := range store.Traces() {
					_ = tr.Services()
					_ = tr.Errors()
				}

				store.Stats()
				store.TraceIDs()

				select {
				case <-done:
					return
				default:
				}
			}
		})
	}

	all.Go(func() {
		store.Wait(t.Context(), traceID(1000), func(tr traceview.Trace) bool { return len(tr.Spans) > 0 })
	})
	all.Wait()
	close(done)
	readers.Wait()

	stats := store.Stats()
	if stats.Spans > 500 || stats.Traces > 20 {
		t.Errorf("%+v", stats)
	}

	if got := uint64(stats.Spans) + stats.EvictedSpans + stats.DroppedSpans; got != 2*writers*each {
		t.Errorf("%d spans accounted for, want %d: %+v", got, 2*writers*each, stats)
	}
}
