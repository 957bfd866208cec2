package page

import (
	"net/http"
	"sync"
	"time"

	"github.com/mqtrace/mqtrace/internal/traceview/queues"
	"github.com/mqtrace/mqtrace/internal/traceview/store"
)

// QueuesAPI is the path of the [queues.Overview] that is derived from the traces.
const QueuesAPI = "/api/queues"

// overviewFor is how long an overview is reused, because making one looks at every span.
const overviewFor = 2 * time.Second

// overview is the last answer, shared by all clients.
type overview struct {
	mu       sync.Mutex
	made     time.Time
	revision uint64
	last     queues.Overview
}

func (o *overview) get(s *store.Store) queues.Overview {
	o.mu.Lock()
	defer o.mu.Unlock()

	if revision := s.Revision(); o.made.IsZero() || time.Since(o.made) > overviewFor && (revision != o.revision || time.Since(o.made) > waitingShown) {
		began := time.Now()
		o.last, o.revision = queues.Find(s.Traces(), began), revision

		// With very many spans it is made less often, to bound its share of the CPU time.
		o.made = time.Now().Add(4 * time.Since(began))
	}

	return o.last
}

func (a *api) queues(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, struct {
		queues.Overview

		// Services are the services that the store knows, for their colours.
		Services []string `json:"services"`
	}{a.overview.get(a.store), a.store.Services()})
}
