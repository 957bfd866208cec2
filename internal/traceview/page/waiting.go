package page

import "net/http"

// WaitingAPI is the suffix of TracesAPI/{id} for the messages of the trace that nothing has
// consumed, as far as all traces show: an object whose "waiting" are of type [WaitingSpan].
const WaitingAPI = "/waiting"

// WaitingSpan is a span whose message waits.
type WaitingSpan struct {
	Span string `json:"span"`
	// In are the queues in which it waits, inferred from other messages.
	In []string `json:"in,omitempty"`
}

func (a *api) waitingIn(w http.ResponseWriter, r *http.Request) {
	tr, ok := a.trace(w, r)
	if !ok {
		return
	}

	answer := struct {
		Waiting []WaitingSpan `json:"waiting"`
	}{[]WaitingSpan{}}

	for _, n := range newTree(tr, a.store, a.routes.get(a.store)).Order {
		if n.Waiting != nil {
			answer.Waiting = append(answer.Waiting, WaitingSpan{n.Span.SpanID.String(), n.Waiting.In})
		}
	}

	writeJSON(w, http.StatusOK, answer)
}
