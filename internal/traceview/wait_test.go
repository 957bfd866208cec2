package traceview_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mqtrace/mqtrace/internal/traceview"
)

func TestWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := traceview.NewStore(traceview.Limits{})
		calls := 0

		go func() {
			for n := range uint64(3) {
				time.Sleep(time.Second)
				store.Add(spanOf(1, n+1), spanOf(2, n+1))
			}
		}()

		start := time.Now()
		if !store.Wait(t.Context(), traceID(1), func(tr traceview.Trace) bool {
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
		store := traceview.NewStore(traceview.Limits{})
		store.Add(spanOf(1, 1))

		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()

		start := time.Now()
		if store.Wait(ctx, traceID(1), func(traceview.Trace) bool { return false }) {
			t.Error("it held")
		}

		if took := time.Since(start); took != time.Minute {
			t.Errorf("%v", took)
		}

		// What holds already holds, even so.
		if !store.Wait(ctx, traceID(1), func(traceview.Trace) bool { return true }) {
			t.Error("it did not hold")
		}

		if store.Wait(ctx, traceID(2), func(traceview.Trace) bool { return true }) {
			t.Error("called without a trace")
		}
	})
}

// The predicate may use the store.
func TestWaitHoldsNoLock(t *testing.T) {
	store := traceview.NewStore(traceview.Limits{})
	store.Add(spanOf(1, 1))
	store.Wait(t.Context(), traceID(1), func(traceview.Trace) bool {
		store.Add(spanOf(1, 2))

		return len(store.Traces()) == 1
	})
}
