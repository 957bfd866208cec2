package page

import "net/http"

// WaitingAPI is what TracesAPI/{id} is followed by for the messages of the trace that nothing
// has consumed, as far as all traces tell: an object whose "waiting" are of type [WaitingSpan].
const WaitingAPI = "/waiting"

// WaitingSpan is a span whose message waits.
type WaitingSpan struct {
	Span string `json:"span"`
	// In are the queues that it waits in, where other messages tell.
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
