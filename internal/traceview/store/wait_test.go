package store_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mqtrace/mqtrace/internal/traceview/sample"
	"github.com/mqtrace/mqtrace/internal/traceview/spans"
	"github.com/mqtrace/mqtrace/internal/traceview/store"
)

func TestWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kept := store.New(store.Limits{})
		calls := 0

		go func() {
			for n := range uint64(3) {
				time.Sleep(time.Second)
				kept.Add(sample.SpanOf(1, n+1), sample.SpanOf(2, n+1))
			}
		}()

		start := time.Now()
		if !kept.Wait(t.Context(), sample.TraceID(1), func(tr spans.Trace) bool {
			calls++

			return len(tr.Spans) == 3
		}) {
			t.Error("it did not hold")
		}

		if took := time.Since(start); took != 3*time.Second || calls != 3 {
			t.Errorf("%v, %d calls", took, calls)
		}
	})
}

func TestWaitEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kept := store.New(store.Limits{})
		kept.Add(sample.SpanOf(1, 1))

		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()

		start := time.Now()
		if kept.Wait(ctx, sample.TraceID(1), func(spans.Trace) bool { return false }) {
			t.Error("Wait reported a condition that never held")
		}

		if took := time.Since(start); took != time.Minute {
			t.Errorf("%v", took)
		}

		// A condition that already holds is met even so.
		if !kept.Wait(ctx, sample.TraceID(1), func(spans.Trace) bool { return true }) {
			t.Error("it did not hold")
		}

		if kept.Wait(ctx, sample.TraceID(2), func(spans.Trace) bool { return true }) {
			t.Error("called without a trace")
		}
	})
}

// The predicate may use the store.
func TestWaitHoldsNoLock(t *testing.T) {
	kept := store.New(store.Limits{})
	kept.Add(sample.SpanOf(1, 1))
	kept.Wait(t.Context(), sample.TraceID(1), func(spans.Trace) bool {
		kept.Add(sample.SpanOf(1, 2))

		return len(kept.Traces()) == 1
	})
}
