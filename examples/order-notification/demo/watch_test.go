package demo

import (
	"bytes"
	"testing"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/mqtrace/mqtrace/internal/traceview/spans"
)

func TestWatchShowsWhatHasStoppedGrowing(t *testing.T) {
	at := time.Unix(0, 0)
	w := watch{seen: make(map[trace.TraceID]sighting)}
	look := func(seconds float64, count int) int {
		tr := spans.Trace{ID: trace.TraceID{1}, Spans: make([]spans.Span, count)}
		return len(w.due([]spans.Trace{tr}, at.Add(time.Duration(seconds*float64(time.Second)))))
	}
	for _, step := range []struct {
		seconds float64
		spans   int
		due     int
	}{
		{0, 1, 0}, {1, 1, 0}, {2, 2, 0}, {4, 2, 0}, {4.5, 2, 1}, {10, 2, 0},
		{11, 3, 0}, {13.5, 3, 1}, {20, 3, 0}, // it went on, and is shown again
	} {
		if got := look(step.seconds, step.spans); got != step.due {
			t.Errorf("after %v s with %d spans: %d due, want %d", step.seconds, step.spans, got, step.due)
		}
	}
	if w.due(nil, at); len(w.seen) != 0 {
		t.Error("traces that the store gave up are kept")
	}
}

func TestMissing(t *testing.T) {
	span := func(id, parent byte, name string) spans.Span {
		s := spans.Span{SpanID: trace.SpanID{id}, Service: "a", Name: name}
		if parent != 0 {
			s.ParentID = trace.SpanID{parent}
		}
		return s
	}
	whole := spans.Trace{Spans: []spans.Span{span(1, 0, "x"), span(2, 1, "y"), span(3, 1, "y")}}
	if got := missing(whole, []string{"a: x", "a: y", "a: y"}); len(got) != 0 {
		t.Errorf("missing: %q", got)
	}
	if got := missing(whole, []string{"a: y", "a: y", "a: y"}); len(got) != 1 {
		t.Errorf("missing: %q, want a third y", got)
	}
	orphan := spans.Trace{Spans: []spans.Span{span(2, 1, "y")}}
	if got := missing(orphan, []string{"a: y"}); len(got) != 1 {
		t.Errorf("missing: %q, want the parent of y", got)
	}
}

func TestLogbook(t *testing.T) {
	for _, verbose := range []bool{false, true} {
		var stderr bytes.Buffer
		b := newLogbook(&stderr, verbose)
		shown := 0
		for _, c := range []struct {
			line  string
			shown bool
		}{
			{`{"level":"INFO","msg":"a","trace_id":"t"}`, false},
			{`{"level":"ERROR","msg":"b","trace_id":"t"}`, false},
			{`{"level":"INFO","msg":"c"}`, false},
			{`{"level":"WARN","msg":"d"}`, true},
			{`no JSON`, true},
		} {
			if _, err := b.Write([]byte(c.line)); err != nil {
				t.Fatal(err)
			}
			if c.shown || verbose {
				shown += len(c.line)
			}
		}
		if stderr.Len() != shown {
			t.Errorf("verbose %v: %s", verbose, &stderr)
		}
		if got := b.of("t"); len(got) != 2 || got[0].Message != "a" || got[1].Message != "b" {
			t.Errorf("lines: %v", got)
		}
	}
}
