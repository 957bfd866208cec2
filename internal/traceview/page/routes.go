package page

import (
	"sync"
	"time"

	"github.com/mqtrace/mqtrace/internal/traceview/store"
	"github.com/mqtrace/mqtrace/internal/traceview/tree"
)

// routes are those of all traces, as they were learned last. As the overview, they are
// learned anew every other second at most: that looks at every span.
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

		// With very many spans it is done less often, so that it takes no more than a share
		// of the time.
		r.made = time.Now().Add(4 * time.Since(began))
	}

	return r.last
}
