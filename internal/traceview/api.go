package traceview

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// TracesAPI is the path of the list of traces, as JSON, newest first: an object
// whose "traces" are of type [Summary]. Its parameters are text, service, queue,
// attribute ("key=value"), errors ("true") and limit; text and attribute may be
// repeated. Below it, TracesAPI/{id} is a trace as OTLP/JSON, as [EncodeJSON]
// writes it, or 404 with {"error": "..."}.
const TracesAPI = "/api/traces"

// How many traces a list has, unless limit says otherwise.
const defaultListed = 200

// api answers what the page, and the command line, ask for.
type api struct {
	store *Store
	// busy holds a token for each answer in the making: the larger ones take
	// several times the memory of their trace.
	busy chan struct{}
	// began tells this run of the program from the one before, whose revisions a
	// page may still have.
	began int64
}

const maxAnswers = 4

func newAPI(store *Store) *api {
	return &api{store: store, busy: make(chan struct{}, maxAnswers), began: time.Now().UnixNano()}
}

func (a *api) register(mux *http.ServeMux) {
	mux.HandleFunc("GET "+TracesAPI, a.limited(a.list))
	mux.HandleFunc("GET "+TracesAPI+"/{id}", a.limited(a.otlp))
	mux.HandleFunc("GET "+TracesAPI+"/{id}/waterfall", a.limited(a.waterfall))
	mux.HandleFunc("GET "+TracesAPI+"/{id}/spans/{span}", a.limited(a.span))
}

// limited lets few requests be answered at once. The others wait their turn.
func (a *api) limited(answer http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		select {
		case a.busy <- struct{}{}:
			defer func() { <-a.busy }()
		case <-r.Context().Done():
			return
		}

		answer(w, r)
	}
}

// parseQuery reads the parameters of a search.
func parseQuery(values url.Values) Query {
	q := Query{
		Text: values["text"], Service: values.Get("service"), Queue: values.Get("queue"),
		Errors: values.Get("errors") == "true",
	}

	for _, text := range values["attribute"] {
		key, value, _ := strings.Cut(text, "=")
		q.Attributes = append(q.Attributes, KeyValue{key, value})
	}

	return q
}

func (a *api) list(w http.ResponseWriter, r *http.Request) {
	if a.unchanged(w, r, a.store.Revision()) {
		return
	}

	limit, err := strconv.Atoi(r.FormValue("limit"))
	if err != nil || limit <= 0 {
		limit = defaultListed
	}

	q := parseQuery(r.Form)
	answer := struct {
		Traces []Summary `json:"traces"`
		// Found counts all that the query finds, listed or not.
		Found int `json:"found"`
		// All there is to search for, in the order in which it was first seen.
		Services []string `json:"services"`
		Queues   []string `json:"queues"`
	}{Traces: []Summary{}, Services: a.store.Services(), Queues: a.store.Queues()}

	for _, tr := range slices.Backward(a.store.Traces()) {
		if !q.Matches(tr) {
			continue
		}

		if answer.Found++; answer.Found <= limit {
			answer.Traces = append(answer.Traces, summarize(tr, newTree(tr)))
		}
	}

	writeJSON(w, http.StatusOK, answer)
}

// trace returns the trace that the path names, and answers with 404 where there
// is none.
func (a *api) trace(w http.ResponseWriter, r *http.Request) (Trace, bool) {
	id, ok := parseTraceID(r.PathValue("id"))
	if !ok {
		writeError(w, http.StatusNotFound, "a trace id is 32 hexadecimal digits, not all of them 0")

		return Trace{}, false
	}

	tr, ok := a.store.Trace(id)
	if !ok {
		writeError(w, http.StatusNotFound, "trace "+id.String()+" is not here: it was not received, or has been given up for newer ones")
	}

	return tr, ok
}

func (a *api) otlp(w http.ResponseWriter, r *http.Request) {
	tr, ok := a.trace(w, r)
	if !ok {
		return
	}

	w.Header().Set("Content-Type", jsonType)
	_ = EncodeJSON(w, tr.Spans) // The client is gone; nobody is left to tell.
}

// waterfall is the trace laid out for the page.
func (a *api) waterfall(w http.ResponseWriter, r *http.Request) {
	tr, ok := a.trace(w, r)
	if !ok {
		return
	}

	seen := len(tr.Spans) + tr.Dropped
	for _, linking := range a.store.Linking(tr.ID) {
		seen += len(linking.Spans)
	}

	if !a.unchanged(w, r, uint64(seen)) {
		writeJSON(w, http.StatusOK, newWaterfall(newLinkFinder(tr, a.store)))
	}
}

func (a *api) span(w http.ResponseWriter, r *http.Request) {
	tr, ok := a.trace(w, r)
	if !ok {
		return
	}

	id, _ := parseSpanID(r.PathValue("span"))
	links := newLinkFinder(tr, a.store)

	n, ok := links.tree.nodes[id]
	if !ok {
		writeError(w, http.StatusNotFound, "the trace has no such span")

		return
	}

	writeJSON(w, http.StatusOK, newSpanDetails(n, links))
}

// unchanged answers a page that has seen the latest already, so that asking again
// and again costs next to nothing.
func (a *api) unchanged(w http.ResponseWriter, r *http.Request, revision uint64) bool {
	tag := fmt.Sprintf(`"%x-%x"`, a.began, revision)
	w.Header().Set("ETag", tag)

	if r.Header.Get("If-None-Match") != tag {
		return false
	}

	w.WriteHeader(http.StatusNotModified)

	return true
}

func writeError(w http.ResponseWriter, status int, message string) {
	writeJSON(w, status, map[string]string{"error": message})
}

func writeJSON(w http.ResponseWriter, status int, answer any) {
	w.Header().Set("Content-Type", jsonType)
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(answer) //nolint:errchkjson // The client is gone; nobody is left to tell.
}
