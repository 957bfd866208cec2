package traceview

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
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
}

const maxAnswers = 4

func newAPI(store *Store) *api {
	return &api{store: store, busy: make(chan struct{}, maxAnswers)}
}

func (a *api) register(mux *http.ServeMux) {
	mux.HandleFunc("GET "+TracesAPI, a.limited(a.list))
	mux.HandleFunc("GET "+TracesAPI+"/{id}", a.limited(a.otlp))
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
	limit, err := strconv.Atoi(r.FormValue("limit"))
	if err != nil || limit <= 0 {
		limit = defaultListed
	}

	q := parseQuery(r.Form)
	answer := struct {
		Traces []Summary `json:"traces"`
		// Found counts all that the query finds, listed or not.
		Found int `json:"found"`
	}{Traces: []Summary{}}

	for _, tr := range slices.Backward(a.store.Traces()) {
		if !q.Matches(tr) {
			continue
		}

		if answer.Found++; answer.Found <= limit {
			answer.Traces = append(answer.Traces, summarize(tr))
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

func writeError(w http.ResponseWriter, status int, message string) {
	writeJSON(w, status, map[string]string{"error": message})
}

func writeJSON(w http.ResponseWriter, status int, answer any) {
	w.Header().Set("Content-Type", jsonType)
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(answer) // The client is gone; nobody is left to tell.
}
