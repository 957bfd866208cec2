package traceview_test

import (
	"testing"
	"time"

	"github.com/mqtrace/mqtrace/internal/traceview"
)

// parts is in how many parts ordinary work is done: what grows with the square of its size
// is as much faster so.
const parts = 100

// soon fails where work takes long, and far longer than as much ordinary work does on the
// same machine, which is only then done.
func soon(t *testing.T, ordinary, work func()) {
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
		t.Errorf("took %v, and as much ordinary work %v", took, usual)
	}
}

// ordinaryTrace has a root and so many spans below it, one after the other.
func ordinaryTrace(spans int) traceview.Trace {
	tr := traceview.Trace{ID: sampleID, Spans: []traceview.Span{spanAt(1, 0, "a", "publish", producer, 0, float64(spans))}}
	for i := range uint64(spans) {
		tr.Spans = append(tr.Spans, spanAt(i+2, 1, "a", "process", consumer, float64(i), float64(i+1)))
	}

	return tr
}
