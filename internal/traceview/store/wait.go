package store

import (
	"context"

	"go.opentelemetry.io/otel/trace"

	"github.com/mqtrace/mqtrace/internal/traceview/spans"
)

// waiters are notified when a trace has changed. Each channel holds one token, which means
// that there is something to look at, not how much.
type waiters map[trace.TraceID]map[chan struct{}]struct{}

func (w waiters) add(id trace.TraceID, changed chan struct{}) {
	if w[id] == nil {
		w[id] = make(map[chan struct{}]struct{})
	}

	w[id][changed] = struct{}{}
}

func (w waiters) remove(id trace.TraceID, changed chan struct{}) {
	delete(w[id], changed)

	if len(w[id]) == 0 {
		delete(w, id)
	}
}

func (w waiters) wake(id trace.TraceID) {
	for changed := range w[id] {
		select {
		case changed <- struct{}{}:
		default: // It has not looked at the previous change yet.
		}
	}
}

// Wait blocks until enough holds for the trace, and reports whether it did before ctx
// ended. enough is called with what is stored of the trace, first immediately and then
// after each change; it is not called while nothing is stored.
func (s *Store) Wait(ctx context.Context, id trace.TraceID, enough func(spans.Trace) bool) bool {
	changed := make(chan struct{}, 1)

	s.mu.Lock()
	s.waiters.add(id, changed)
	s.mu.Unlock()

	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()

		s.waiters.remove(id, changed)
	}()

	for {
		if tr, ok := s.Trace(id); ok && enough(tr) {
			return true
		}

		select {
		case <-changed:
		case <-ctx.Done():
			// The last change and the end of ctx may coincide.
			tr, ok := s.Trace(id)

			return ok && enough(tr)
		}
	}
}
