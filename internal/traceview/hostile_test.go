package traceview_test

import (
	"encoding/binary"
	"strconv"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/trace"

	"github.com/mqtrace/mqtrace/internal/traceview"
	"github.com/mqtrace/mqtrace/internal/traceview/sample"
	"github.com/mqtrace/mqtrace/internal/traceview/spans"
)

// hostileSpans is the number of spans in one trace that the page is designed for.
const hostileSpans = 10_000

// hostileTraces returns traces of that many spans, each of a shape for which a careless
// layout takes quadratic time.
func hostileTraces() map[string]spans.Trace {
	buried := func(s spans.Span) spans.Span {
		return sample.With(sample.With(s, "mqtrace.dead_letter.count", int64(1)), "mqtrace.attempt", int64(2))
	}
	shapes := map[string]func(i uint64) spans.Span{
		"dead letters of one message": func(i uint64) spans.Span {
			return buried(sample.Span(i+2, 1, "a", "process "+sample.SpanID(i).String(), sample.Consumer, float64(i+1), float64(i+1)))
		},
		"dead letters within dead letters": func(i uint64) spans.Span {
			return buried(sample.Span(i+2, i+1, "a", "process", sample.Consumer, float64(i), float64(hostileSpans)))
		},
		"a loop": func(i uint64) spans.Span {
			return sample.Span(i+2, (i+1)%hostileSpans+2, "a", "loop", sample.Internal, float64(i), float64(i))
		},
		"each its own parent": func(i uint64) spans.Span {
			return sample.Span(i+2, i+2, "a", "self", sample.Internal, 0, 0)
		},
		"all have one id": func(i uint64) spans.Span {
			return sample.Linked(sample.Span(2, 2, "a", "process", sample.Consumer, float64(i), float64(i)), sample.LinkTo(2))
		},
		"all have one id, and are senders": func(i uint64) spans.Span {
			return sample.Linked(sample.Span(2, 1, "a", "publish", trace.SpanKindProducer, float64(i), float64(i)), sample.LinkTo(2))
		},
		"all have one id, and no kind": func(i uint64) spans.Span {
			return sample.Span(2, 2, "a", "step", sample.Internal, float64(i), float64(i))
		},
		"handlers within one with many links": func(i uint64) spans.Span {
			if i > 0 {
				return sample.Span(i+2, 2, "a", "process", sample.Consumer, float64(i), float64(i))
			}

			s := sample.Span(2, 0, "a", "process", sample.Consumer, 0, float64(hostileSpans))
			for range hostileSpans {
				s = sample.Linked(s, sample.LinkTo(1))
			}

			return s
		},
		"one message in many scopes": func(i uint64) spans.Span {
			s := sample.Span(i+2, 1, "a", "process billing", sample.Consumer, float64(i), float64(i))
			s.Scope.Name = strconv.FormatUint(i, 10)

			return s
		},
		"missing parents": func(i uint64) spans.Span {
			return sample.Span(i+2, i+30_000, "a", "orphan", sample.Internal, 0, 0)
		},
		"all link to one": func(i uint64) spans.Span {
			return sample.Linked(sample.Span(i+2, 1, "a", "link", sample.Internal, 0, 0), sample.LinkTo(1), sample.LinkTo(1), sample.LinkTo(1))
		},
	}

	traces := make(map[string]spans.Trace)
	for name, span := range shapes {
		tr := spans.Trace{ID: sample.ID, Spans: []spans.Span{sample.Span(1, 0, "a", "publish", trace.SpanKindProducer, 0, 0)}}
		for i := range uint64(hostileSpans) {
			tr.Spans = append(tr.Spans, span(i))
		}

		traces[name] = tr
	}

	return traces
}

// Whatever its shape, the page gets every span of a trace exactly once, and quickly.
func TestHostileTracesAreLaidOut(t *testing.T) {
	const few = hostileSpans / sample.Parts

	ordinary := sample.Ordinary(few)

	for name, tr := range hostileTraces() {
		t.Run(name, func(t *testing.T) {
			h, other := stored(tr.Spans...), stored(ordinary.Spans...)
			seen := make(map[string]bool)

			sample.Soon(t, func() {
				for range sample.Parts {
					waterfallOf(t, other, ordinary)
				}
			}, func() {
				for _, r := range waterfallOf(t, h, tr).Rows {
					if !r.Missing {
						seen[r.ID] = true
					}
				}
			})

			if len(seen) != len(tr.Spans) {
				t.Errorf("%d spans shown, want %d", len(seen), len(tr.Spans))
			}
		})
	}
}

// Invalid ids and paths are answered with an error of the API or of the mux, never with a
// file or a trace.
func TestPathsThatAreNoIDs(t *testing.T) {
	h := stored(sample.Order().Spans...)
	id := sample.ID.String()

	for _, path := range []string{
		"/api/traces/" + strings.Repeat("f", 60_000), "/api/traces/" + id + "0", "/api/traces/" + id[:31], "/api/traces/" + strings.Repeat("0", 32),
		"/api/traces/" + id + "/spans/" + strings.Repeat("0", 16), "/api/traces/" + id + "/spans/" + strings.Repeat("a", 60_000),
		"/api/traces/" + id + "/spans/%00", "/api/traces/%2e%2e%2f%2e%2e%2fetc%2fpasswd", "/api/traces/..%2f..%2fpage.go",
		"/assets/..%2f..%2fpage.go", "/assets/%2e%2e/%2e%2e/page.go", "/assets//etc/passwd", "/assets/..%5c..%5cpage.go", "/assets/%00",
	} {
		w := get(h, path)
		if w.Code < 300 || strings.Contains(w.Body.String(), "package traceview") || strings.Contains(w.Body.String(), "POST /orders") {
			t.Errorf("%.80s: %d %.80s", path, w.Code, w.Body)
		}
	}
}

// A span whose id is already taken does not change the span that has it, and is shown
// beside it.
func TestIDsThatCollide(t *testing.T) {
	first := sample.Span(1, 0, "a", "first", sample.Server, 0, 10)
	h := stored(first, sample.Span(1, 0, "b", "second", sample.Server, 5, 6))

	w := waterfallOf(t, h, spans.Trace{ID: sample.ID})
	if len(w.Rows) != 2 || w.Rows[0].Name != "first" || w.Rows[1].Name != "second" || w.Rows[0].ID == w.Rows[1].ID || w.Spans != 2 {
		t.Fatalf("%+v", w.Rows)
	}

	for _, row := range w.Rows {
		if got := getJSON[waterfallRow](t, h, "/api/traces/"+sample.ID.String()+"/spans/"+row.ID); got.Name != row.Name {
			t.Errorf("%s is %q, want %q", row.ID, got.Name, row.Name)
		}
	}
}

// Receiving far more traces than are kept costs no more memory than those that are kept,
// and the list of them is answered quickly.
func TestAHundredThousandTraces(t *testing.T) {
	const traces = 100_000

	store := traceview.NewStore(traceview.Limits{})
	h := traceview.NewHandler(store)

	for n := range uint64(traces) {
		s := sample.Span(1, 0, "service "+strconv.FormatUint(n, 10), "process queue "+strconv.FormatUint(n, 10), sample.Consumer, float64(n), float64(n+1))
		binary.BigEndian.PutUint64(s.TraceID[:], n+1)
		store.Add(sample.Linked(s, spans.Link{TraceID: trace.TraceID{byte(n), byte(n >> 8), byte(n >> 16)}, SpanID: sample.SpanID(1)}))
	}

	type answer struct {
		listAnswer

		Services, Queues []string
	}

	const all = "/api/traces?limit=1000000000"

	list := getJSON[answer](t, h, all)

	if list.Found != 1000 || len(list.Traces) != 1000 || list.Traces[0].Name != "process queue 99999" {
		t.Errorf("%d of %d traces, first %+v", len(list.Traces), list.Found, list.Traces[0])
	}

	if len(list.Services) > 1000 || len(list.Queues) > 1000 {
		t.Errorf("%d services, %d queues", len(list.Services), len(list.Queues))
	}

	few := traceview.NewStore(traceview.Limits{})

	for n := range uint64(1000) {
		s := sample.Span(1, 0, "service", "process queue", sample.Consumer, float64(n), float64(n+1))
		binary.BigEndian.PutUint64(s.TraceID[:], n+1)
		few.Add(s)
	}

	other := traceview.NewHandler(few)
	sample.Soon(t, func() { getJSON[answer](t, other, all) }, func() { getJSON[answer](t, h, all) })
}
