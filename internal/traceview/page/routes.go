package page

import (
	"sync"
	"time"

	"github.com/mqtrace/mqtrace/internal/traceview/store"
	"github.com/mqtrace/mqtrace/internal/traceview/tree"
)

// routes are the routes of all traces, as last learned. Like the overview, they are learned
// again at most every other second, because that looks at every span.
type routes struct {
	mu       sync.Mutex
	made     time.Time
	revision uint64
	last     *tree.Routes
}

func (r *routes) get(s *store.Store) *tree.Routes {
	r.mu.Lock()
	defer r.mu.Unlock()

	if revision := s.Revision(); r.made.IsZero() || time.Since(r.made) > overviewFor && revision != r.revision {
		began := time.Now()
		traces := s.Traces()
		r.last, r.revision = tree.LearnRoutes(traces, tree.TakersIn(traces)), revision

		// With very many spans it is done less often, to bound its share of the CPU time.
		r.made = time.Now().Add(4 * time.Since(began))
	}

	return r.last
}
