package page

import (
	"fmt"
	"net/http"

	"github.com/mqtrace/mqtrace/internal/traceview/spans"
	"github.com/mqtrace/mqtrace/internal/traceview/tracefile"
)

// OpenAPI is the path to which the page sends a file, in any format that package tracefile
// reads. The answer has the ids of its traces, and what was left out.
const OpenAPI = "/api/open"

// maxOpened bounds the size of a file. It is read in pieces; if they do not fit into the
// store, older traces are dropped.
const maxOpened = 1 << 30

func (a *api) open(w http.ResponseWriter, r *http.Request) {
	answer := struct {
		IDs      []string `json:"ids"`
		Warnings []string `json:"warnings"`
	}{IDs: []string{}, Warnings: []string{}}

	const maxIDs = 1000

	seen := make(map[string]struct{})
	dropped := 0

	result, err := tracefile.Read(http.MaxBytesReader(w, r.Body, maxOpened), func(piece []spans.Span) error {
		dropped += a.store.Add(piece...).Dropped

		for i := range piece {
			id := piece[i].TraceID.String()
			if _, ok := seen[id]; !ok && len(answer.IDs) < maxIDs {
				seen[id] = struct{}{}
				answer.IDs = append(answer.IDs, id)
			}
		}

		return nil
	})
	if err != nil {
		WriteError(w, http.StatusBadRequest, err.Error())

		return
	}

	answer.Warnings = append(answer.Warnings, result.Warnings()...)
	if dropped > 0 {
		answer.Warnings = append(answer.Warnings, fmt.Sprintf("spans left out for lack of memory: %d", dropped))
	}

	writeJSON(w, http.StatusOK, answer)
}
