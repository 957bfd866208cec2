// Package page provides the web page that shows traces, and the API that it uses.
package page

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/mqtrace/mqtrace/internal/traceview/otlp"
	"github.com/mqtrace/mqtrace/internal/traceview/search"
	"github.com/mqtrace/mqtrace/internal/traceview/spans"
	"github.com/mqtrace/mqtrace/internal/traceview/store"
	"github.com/mqtrace/mqtrace/internal/traceview/tree"
)

// TracesAPI is the path of the list of traces, as JSON, newest first: an object whose
// "traces" are of type [tree.Summary]. Its parameters are text, service, queue, attribute
// ("key=value"), errors ("true") and limit; text and attribute may be repeated; q is a
// search as [search.Parse] reads it, and sort names a column. Below it, TracesAPI/{id} is a
// trace as OTLP/JSON, as [otlp.EncodeJSON] writes it, or 404 with {"error": "..."}.
const TracesAPI = "/api/traces"

// defaultListed is the default number of traces in a list.
const defaultListed = 200

// api answers the requests of the page and the command line.
type api struct {
	*answers

	store    *store.Store
	overview overview
	routes   routes
	// began distinguishes this run of the program from an earlier one, whose revisions a
	// page may still have.
	began int64
	// waiting is true once an answer has contained the time that a message has waited or
	// until it is due. Such answers change even if the store does not.
	waiting atomic.Bool
}

// waitingShown is how often the shown waiting time of a message is updated.
const waitingShown = 5 * time.Second

// noteWaiting checks for waiting messages in what is about to be sent.
func (a *api) noteWaiting(list ...tree.Summary) {
	for i := range list {
		since := list[i].NotConsumedSince
		if list[i].Scheduled > 0 || since != nil && time.Since(*since) < tree.ShownFor {
			a.waiting.Store(true)

			return
		}
	}
}

func newAPI(s *store.Store) *api {
	return &api{answers: newAnswers(), store: s, began: time.Now().UnixNano()}
}

// Register serves the page and its API.
func Register(mux *http.ServeMux, s *store.Store) {
	newAPI(s).register(mux)
	registerFiles(mux)
}

// DroppedHeader is the header of an answer with the number of the trace's spans for which
// the store had no room. OTLP itself has no place for it.
const DroppedHeader = "Mqtrace-Dropped-Spans"

const jsonType = "application/json"

func (a *api) register(mux *http.ServeMux) {
	mux.HandleFunc("GET "+QueuesAPI, a.limited(a.queues))
	mux.HandleFunc("POST "+OpenAPI, a.open)
	mux.HandleFunc("GET "+TracesAPI, a.limited(a.list))
	mux.HandleFunc("GET "+TracesAPI+"/{id}", a.otlp)
	mux.HandleFunc("GET "+TracesAPI+"/{id}"+WaitingAPI, a.limited(a.waitingIn))
	mux.HandleFunc("GET "+TracesAPI+"/{id}/waterfall", a.limited(a.waterfall))
	mux.HandleFunc("GET "+TracesAPI+"/{id}/spans/{span}", a.limited(a.span))
}

// parseQuery reads the parameters of a search.
func parseQuery(values url.Values) search.Query {
	q := search.Query{
		Text: values["text"], Service: values.Get("service"), Queue: values.Get("queue"),
		Errors: values.Get("errors") == "true",
	}

	for _, text := range values["attribute"] {
		key, value, _ := strings.Cut(text, "=")
		q.Attributes = append(q.Attributes, search.KeyValue{Key: key, Value: value})
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

	typed, err := search.Parse(r.FormValue("q"))
	if err != nil {
		w.Header().Del("ETag")
		WriteError(w, http.StatusBadRequest, err.Error())

		return
	}

	answer := struct {
		Traces []tree.Summary `json:"traces"`
		// Found counts all that the query finds, listed or not.
		Found int `json:"found"`
		// Everything that can be searched for, in the order in which it was first seen.
		Services []string `json:"services"`
		Queues   []string `json:"queues"`
	}{Traces: []tree.Summary{}, Services: a.store.Services(), Queues: a.store.Queues()}
	sorted := r.FormValue("sort") != ""
	routes := a.routes.get(a.store)

	for _, tr := range slices.Backward(a.store.Traces()) {
		if !q.Matches(tr) {
			continue
		}

		t := newTree(tr, a.store, routes)
		if !typed.Matches(t) {
			continue
		}

		if answer.Found++; sorted || answer.Found <= limit {
			answer.Traces = append(answer.Traces, t.Summarize())
		}
	}

	a.noteWaiting(answer.Traces...)
	search.Order(answer.Traces, r.FormValue("sort"), r.FormValue("order") == "asc")
	answer.Traces = answer.Traces[:min(limit, len(answer.Traces))]

	writeJSON(w, http.StatusOK, answer)
}

// trace returns the trace that the path names, or answers with 404 if there is none.
func (a *api) trace(w http.ResponseWriter, r *http.Request) (spans.Trace, bool) {
	id, ok := spans.ParseTraceID(r.PathValue("id"))
	if !ok {
		id, ok = a.store.ByPrefix(r.PathValue("id"))
	}

	if !ok {
		WriteError(w, http.StatusNotFound, "a trace id is 32 hexadecimal digits, not all 0, or at least the first 8 of a stored trace's")

		return spans.Trace{}, false
	}

	tr, ok := a.store.Trace(id)
	if !ok {
		WriteError(w, http.StatusNotFound, "trace "+id.String()+" not found: it was not received, or was dropped to make room for newer ones")
	}

	return tr, ok
}

func (a *api) otlp(w http.ResponseWriter, r *http.Request) {
	tr, ok := a.trace(w, r)
	if !ok {
		return
	}

	w.Header().Set("Content-Type", jsonType)

	if tr.Dropped > 0 {
		w.Header().Set(DroppedHeader, strconv.Itoa(tr.Dropped))
	}

	// The answer is written while it is encoded, so that it is never in memory as a whole.
	_ = otlp.EncodeJSON(pieces{w}, tr.Spans) // The client is gone: there is no one to report to.
}

// waterfall answers with the trace laid out for the page.
func (a *api) waterfall(w http.ResponseWriter, r *http.Request) {
	tr, ok := a.trace(w, r)
	if !ok {
		return
	}

	if !a.unchanged(w, r, a.store.Around(tr.ID)) {
		shown := newWaterfall(newLinkFinder(tr, a.store, a.routes.get(a.store)))
		a.noteWaiting(shown.Summary)
		writeJSON(w, http.StatusOK, shown)
	}
}

func (a *api) span(w http.ResponseWriter, r *http.Request) {
	tr, ok := a.trace(w, r)
	if !ok {
		return
	}

	links := newLinkFinder(tr, a.store, a.routes.get(a.store))

	n := links.tree.Node(r.PathValue("span"))
	if n == nil {
		WriteError(w, http.StatusNotFound, "the trace has no such span")

		return
	}

	writeJSON(w, http.StatusOK, newSpanDetails(n, links))
}

// unchanged answers a page that already has the latest version, so that polling costs next
// to nothing.
func (a *api) unchanged(w http.ResponseWriter, r *http.Request, revision uint64) bool {
	if a.waiting.Load() {
		revision ^= uint64(time.Now().UnixNano()/int64(waitingShown)) << 32
	}

	tag := fmt.Sprintf(`"%x-%x"`, a.began, revision)
	w.Header().Set("ETag", tag)

	if r.Header.Get("If-None-Match") != tag {
		return false
	}

	w.WriteHeader(http.StatusNotModified)

	return true
}
