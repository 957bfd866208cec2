package sample

import (
	"testing"
	"time"

	"github.com/mqtrace/mqtrace/internal/traceview/spans"
)

// Parts is the number of parts in which tests do ordinary work. Work that takes quadratic
// time would be that many times faster in parts.
const Parts = 100

// Soon fails the test if work takes long, and far longer than the same amount of ordinary
// work on the same machine, which is measured only then.
func Soon(t *testing.T, ordinary, work func()) {
	t.Helper()

	timed := func(f func()) time.Duration {
		start := time.Now()

		f()

		return time.Since(start)
	}

	took := timed(work)
	if took <= 10*time.Second {
		return
	}

	if usual := timed(ordinary); took > 30*usual {
		t.Errorf("took %v; as much ordinary work took %v", took, usual)
	}
}

// Ordinary returns a trace of a root and the given number of spans below it, one after the
// other.
func Ordinary(n int) spans.Trace {
	tr := spans.Trace{ID: ID, Spans: []spans.Span{Span(1, 0, "a", "publish", Producer, 0, float64(n))}}
	for i := range uint64(n) {
		tr.Spans = append(tr.Spans, Span(i+2, 1, "a", "process", Consumer, float64(i), float64(i+1)))
	}

	return tr
}
