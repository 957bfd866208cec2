package store_test

import (
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/mqtrace/mqtrace/internal/traceview/sample"
	"github.com/mqtrace/mqtrace/internal/traceview/spans"
	"github.com/mqtrace/mqtrace/internal/traceview/store"
)

func TestStoreKeepsTracesInOrderOfArrival(t *testing.T) {
	kept := store.New(store.Limits{})
	kept.Add(sample.SpanOf(2, 1), sample.SpanOf(1, 1), sample.SpanOf(3, 1), sample.SpanOf(2, 2))

	want := []trace.TraceID{sample.TraceID(2), sample.TraceID(1), sample.TraceID(3)}
	if got := kept.TraceIDs(); !reflect.DeepEqual(got, want) {
		t.Errorf("ids: %v", got)
	}

	traces := kept.Traces()
	if len(traces) != 3 || traces[0].ID != sample.TraceID(2) || len(traces[0].Spans) != 2 || traces[2].ID != sample.TraceID(3) {
		t.Errorf("traces: %+v", traces)
	}

	if _, ok := kept.Trace(sample.TraceID(4)); ok {
		t.Error("an unknown trace is there")
	}
}

func TestStoreRefusesInvalidAndRepeatedSpans(t *testing.T) {
	kept := store.New(store.Limits{})
	noTrace, noSpan := sample.SpanOf(1, 1), sample.SpanOf(1, 1)
	noTrace.TraceID, noSpan.SpanID = trace.TraceID{}, trace.SpanID{}

	got := kept.Add(sample.SpanOf(1, 1), sample.SpanOf(1, 1), noTrace, noSpan, sample.SpanOf(2, 1))
	if want := (store.AddResult{Stored: 2, Duplicate: 1, Invalid: 2}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}

	if stats := kept.Stats(); stats.Traces != 2 || stats.Spans != 2 || stats.DuplicateSpans != 1 || stats.InvalidSpans != 2 {
		t.Errorf("%+v", stats)
	}
}

func TestStoreGivesUpTheOldestTrace(t *testing.T) {
	kept := store.New(store.Limits{Traces: 3})
	for n := range uint64(5) {
		kept.Add(sample.SpanOf(n, 1), sample.SpanOf(n, 2))
	}

	if got, want := kept.TraceIDs(), []trace.TraceID{sample.TraceID(2), sample.TraceID(3), sample.TraceID(4)}; !reflect.DeepEqual(got, want) {
		t.Errorf("ids: %v", got)
	}

	stats := kept.Stats()
	if stats.Traces != 3 || stats.Spans != 6 || stats.EvictedTraces != 2 || stats.EvictedSpans != 4 || stats.DroppedSpans != 0 {
		t.Errorf("%+v", stats)
	}
}

func TestStoreDoesNotGiveUpTheTraceThatGrows(t *testing.T) {
	kept := store.New(store.Limits{Spans: 4})
	kept.Add(sample.SpanOf(1, 1), sample.SpanOf(2, 1), sample.SpanOf(3, 1))

	// The oldest trace grows at the cost of the others, and then no more.
	got := kept.Add(sample.SpanOf(1, 2), sample.SpanOf(1, 3), sample.SpanOf(1, 4), sample.SpanOf(1, 5), sample.SpanOf(1, 6))
	if got.Stored != 3 || got.Dropped != 2 {
		t.Errorf("got %+v", got)
	}

	if tr, _ := kept.Trace(sample.TraceID(1)); len(tr.Spans) != 4 || tr.Dropped != 2 {
		t.Errorf("%+v", tr)
	}

	if ids := kept.TraceIDs(); len(ids) != 1 {
		t.Errorf("ids: %v", ids)
	}
}

func TestStoreLimitsOneTrace(t *testing.T) {
	kept := store.New(store.Limits{Spans: 10, SpansPerTrace: 2})
	if got := kept.Add(sample.SpanOf(1, 1), sample.SpanOf(2, 1), sample.SpanOf(1, 2), sample.SpanOf(1, 3)); got.Stored != 3 || got.Dropped != 1 {
		t.Errorf("got %+v", got)
	}

	if stats := kept.Stats(); stats.EvictedTraces != 0 || stats.DroppedSpans != 1 {
		t.Errorf("%+v", stats)
	}
}

func TestStoreLimitsBytes(t *testing.T) {
	const limit = 1 << 20

	kept := store.New(store.Limits{Bytes: limit})

	for n := range uint64(100) {
		kept.Add(sample.With(sample.SpanOf(n, 1), "body", strings.Repeat("x", 100<<10)))

		if stats := kept.Stats(); stats.Bytes > limit {
			t.Fatalf("%+v", stats)
		}
	}

	if stats := kept.Stats(); stats.Traces < 8 || stats.Traces > 10 {
		t.Errorf("%+v", stats)
	}

	// A span that can never fit does not push out other traces.
	before := kept.Stats().Traces
	for _, span := range []spans.Span{
		sample.With(sample.SpanOf(500, 1), "body", strings.Repeat("x", limit)),
		sample.With(sample.SpanOf(501, 1), "bytes", make([]byte, limit)),
		sample.With(sample.SpanOf(502, 1), "list", make([]any, limit/16)),
		sample.With(sample.SpanOf(503, 1), "map", spans.Attributes{{Key: strings.Repeat("x", limit)}}),
		sample.Linked(sample.SpanOf(504, 1), make([]spans.Link, limit/64)...),
		{TraceID: sample.TraceID(505), SpanID: sample.SpanID(1), Events: make([]spans.Event, limit/64)},
		{TraceID: sample.TraceID(506), SpanID: sample.SpanID(1), Name: strings.Repeat("x", limit)},
		{TraceID: sample.TraceID(507), SpanID: sample.SpanID(1), Resource: spans.Resource{Attributes: make(spans.Attributes, limit/32)}},
		{TraceID: sample.TraceID(508), SpanID: sample.SpanID(1), Scope: spans.Scope{Name: strings.Repeat("x", limit)}},
	} {
		if got := kept.Add(span); got.Dropped != 1 {
			t.Errorf("%s: %+v", span.TraceID, got)
		}
	}

	if after := kept.Stats().Traces; after != before {
		t.Errorf("%d traces of %d are left", after, before)
	}
}

// A resource is shared by the spans of a request and takes memory once.
func TestStoreCountsSharedResourcesOnce(t *testing.T) {
	kept := store.New(store.Limits{})
	resource := spans.Resource{Attributes: spans.Attributes{{Key: "big", Value: strings.Repeat("x", 1<<20)}}}

	for n := range uint64(100) {
		s := sample.SpanOf(1, n+1)
		s.Resource = resource
		kept.Add(s)
	}

	if stats := kept.Stats(); stats.Bytes < 1<<20 || stats.Bytes > 2<<20 {
		t.Errorf("%+v", stats)
	}
}

func TestStoreAccountsToZero(t *testing.T) {
	kept := store.New(store.Limits{Traces: 1})
	for n := range uint64(50) {
		s := sample.With(sample.SpanOf(n%7, n+1), "k", []any{"v", int64(1), spans.Attributes{{Key: "k", Value: []byte("v")}}})
		s.Resource.Attributes = spans.Attributes{{Key: "service.name", Value: "svc"}}
		kept.Add(s)
	}

	one := store.New(store.Limits{})
	one.Add(sample.SpanOf(1, 1))
	kept.Add(sample.SpanOf(99, 1)) // drops whatever was there

	if got, want := kept.Stats().Bytes, one.Stats().Bytes; got != want {
		t.Errorf("%d bytes, want %d", got, want)
	}
}

func TestSnapshotDoesNotChange(t *testing.T) {
	kept := store.New(store.Limits{})
	kept.Add(sample.SpanOf(1, 1))

	before, _ := kept.Trace(sample.TraceID(1))
	for n := range uint64(100) {
		kept.Add(sample.SpanOf(1, n+2))
	}

	if len(before.Spans) != 1 {
		t.Errorf("%d spans", len(before.Spans))
	}

	// Appending to a snapshot does not write to the store either.
	after, _ := kept.Trace(sample.TraceID(1))
	grow(before.Spans)

	if after.Spans[1].SpanID != sample.SpanID(2) {
		t.Errorf("got %s", after.Spans[1].SpanID)
	}
}

func grow(spans []spans.Span) []spans.Span { return append(spans, sample.SpanOf(9, 9)) }

func TestTraceSummary(t *testing.T) {
	tr := sample.Order()

	if got, want := tr.Services(), []string{"order-api", "payment", "notification", "email-worker"}; !reflect.DeepEqual(got, want) {
		t.Errorf("services: %v", got)
	}

	if tr.Errors() != 1 || tr.Duration() != 1498600*time.Microsecond {
		t.Errorf("%d errors, %v", tr.Errors(), tr.Duration())
	}

	if s, ok := tr.Span(sample.SpanID(5)); !ok || s.Name != "POST /charge" {
		t.Errorf("%v %+v", ok, s)
	}

	if _, ok := tr.Span(sample.SpanID(50)); ok {
		t.Error("a span that does not exist")
	}

	if start, end := (spans.Trace{}).Bounds(); !start.IsZero() || !end.IsZero() {
		t.Errorf("%v %v", start, end)
	}
}

func TestStoreConcurrently(t *testing.T) {
	const writers, each = 8, 300

	kept := store.New(store.Limits{Traces: 20, Spans: 500})
	done := make(chan struct{})

	var readers, all sync.WaitGroup

	for w := range uint64(writers) {
		all.Go(func() {
			for n := range uint64(each) {
				kept.Add(sample.SpanOf(n%40, w*each+n+1), sample.SpanOf(1000, w*each+n+1))
			}
		})
	}

	for range 4 {
		readers.Go(func() {
			for {
				for _, tr := range kept.Traces() {
					_ = tr.Services()
					_ = tr.Errors()
				}

				kept.Stats()
				kept.TraceIDs()

				select {
				case <-done:
					return
				default:
				}
			}
		})
	}

	all.Go(func() {
		kept.Wait(t.Context(), sample.TraceID(1000), func(tr spans.Trace) bool { return len(tr.Spans) > 0 })
	})
	all.Wait()
	close(done)
	readers.Wait()

	stats := kept.Stats()
	if stats.Spans > 500 || stats.Traces > 20 {
		t.Errorf("%+v", stats)
	}

	if got := uint64(stats.Spans) + stats.EvictedSpans + stats.DroppedSpans; got != 2*writers*each {
		t.Errorf("%d spans accounted for, want %d: %+v", got, 2*writers*each, stats)
	}
}
