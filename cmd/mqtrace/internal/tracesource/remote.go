// Package tracesource gets traces from servers: a running `mqtrace view`, Jaeger's query
// API, and Tempo.
package tracesource

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"go.opentelemetry.io/otel/trace"

	"github.com/mqtrace/mqtrace/cmd/mqtrace/internal/weburl"
	"github.com/mqtrace/mqtrace/internal/traceview/page"
	"github.com/mqtrace/mqtrace/internal/traceview/queues"
	"github.com/mqtrace/mqtrace/internal/traceview/spans"
	"github.com/mqtrace/mqtrace/internal/traceview/tracefile"
)

// ErrNotFound means that the server does not have the trace.
var ErrNotFound = errors.New("trace not found")

// pageOf finds the id in the address of a trace's page: /trace/ID in Jaeger's UI,
// #/trace/ID in mqtrace view.
var pageOf = regexp.MustCompile(`^(.*)/trace/([0-9A-Fa-f]{1,32})(?:/.*)?$`)

// MaxBytes is the largest answer that is read.
const MaxBytes = 1 << 30

// The paths under which servers have a trace, complete ones first. Servers answer unknown
// paths in different ways.
var (
	viewPaths  = []string{"/api/v3/traces/", "/api/traces/"} // of Jaeger, and of a view
	tempoPaths = []string{"/api/v2/traces/", "/api/traces/"}
)

// Remote is a server that has traces: a running `mqtrace view`, Jaeger's query API, or
// Tempo.
type Remote struct {
	paths  []string
	client *http.Client
	base   url.URL // of the server, or of the answer itself
	id     trace.TraceID
	direct bool
	// warnings are about parts of the answers that could not be read.
	warnings []string
}

// NewTempo reads the address of a Tempo.
func NewTempo(address string) (*Remote, error) {
	r, err := NewRemote(address)
	if err == nil {
		r.paths = tempoPaths
	}
	return r, err
}

// NewRemote reads an address: the base URL of a server, the page of a trace there, or
// a path of its API.
func NewRemote(address string) (*Remote, error) {
	u, transport, err := weburl.Open(address)
	if err != nil {
		return nil, err
	}
	r := &Remote{paths: viewPaths, client: &http.Client{Transport: transport}}
	page := pageOf.FindStringSubmatch(u.Path)
	if page != nil {
		u.Path = page[1]
	} else {
		page = pageOf.FindStringSubmatch(u.Fragment)
	}
	r.direct = page == nil && strings.Contains(u.Path, "/api/")
	if !r.direct {
		u.Path, u.RawQuery = strings.TrimSuffix(u.Path, "/"), ""
	}
	if page != nil {
		if r.id, err = tracefile.ParseID(page[2]); err != nil {
			return nil, err
		}
	}
	u.RawPath, u.Fragment, u.RawFragment = "", "", ""
	r.base = *u
	return r, nil
}

// ID returns the id of the trace in the address, if there is one.
func (r *Remote) ID() trace.TraceID { return r.id }

// IsAnswer reports whether the address is an API's answer.
func (r *Remote) IsAnswer() bool { return r.direct }

// Warnings returns what was left out of the answers.
func (r *Remote) Warnings() []string { return r.warnings }

// String returns the address without user and password.
func (r *Remote) String() string { return public(r.base) }

func public(u url.URL) string {
	u.User = nil
	return u.String()
}

// Trace asks for one trace.
func (r *Remote) Trace(ctx context.Context, id trace.TraceID) (traces []spans.Trace, err error) {
	for _, path := range r.paths {
		traces, err = r.get(ctx, path+id.String())
		if err == nil && len(traces) > 0 {
			return traces, nil
		}
	}
	if err == nil {
		err = ErrNotFound
	}
	return traces, err
}

// Prefixed gets the one trace whose id has the prefix from a view.
func (r *Remote) Prefixed(ctx context.Context, prefix string) ([]spans.Trace, error) {
	return r.get(ctx, "/api/traces/"+prefix)
}

// All gets what the address stands for: the answer of an API, or the latest traces of a
// view. It also returns how many traces there are.
func (r *Remote) All(ctx context.Context, limit int) (traces []spans.Trace, found int, err error) {
	if r.direct {
		traces, err = r.get(ctx, "")
		if errors.Is(err, ErrNotFound) {
			err = fmt.Errorf("%s: %w", r, err)
		}
		return traces, len(traces), err
	}
	u := r.base
	u.Path += "/api/traces"
	u.RawQuery = "limit=" + strconv.Itoa(limit)
	body, err := r.fetch(ctx, u)
	if err != nil {
		return nil, 0, err
	}
	defer body.Close()
	var list struct {
		Traces []struct {
			ID string `json:"id"`
		} `json:"traces"`
		Found int `json:"found"`
	}
	if err := json.NewDecoder(io.LimitReader(body, MaxBytes)).Decode(&list); err != nil || list.Traces == nil {
		return nil, 0, fmt.Errorf("%s has no list of traces", r)
	}
	for _, t := range list.Traces[:min(limit, len(list.Traces))] {
		id, err := tracefile.ParseID(t.ID)
		if err != nil {
			return nil, 0, err
		}
		one, err := r.get(ctx, "/api/traces/"+id.String())
		if errors.Is(err, ErrNotFound) {
			continue // dropped since it was listed
		}
		if err != nil {
			return nil, 0, err
		}
		traces = append(traces, one...)
	}
	return traces, list.Found, nil
}

// Queues gets the overview of queues from a view.
func (r *Remote) Queues(ctx context.Context) (found queues.Overview, err error) {
	u := r.base
	if !r.direct {
		u.Path += page.QueuesAPI
	}
	body, err := r.fetch(ctx, u)
	if errors.Is(err, ErrNotFound) {
		err = fmt.Errorf("%s has no list of queues: it is not an mqtrace view, or is an older one", r)
	}
	if err != nil {
		return found, err
	}
	defer body.Close()
	if err := json.NewDecoder(io.LimitReader(body, MaxBytes)).Decode(&found); err != nil {
		return found, fmt.Errorf("%s has no list of queues: %w", r, err)
	}
	if found.Queues == nil { // A view's list may be empty, but is never missing.
		return found, fmt.Errorf("%s has no list of queues: it is not an mqtrace view", r)
	}
	return found, nil
}

// Waiting gets the waiting messages of a trace from a view, which considers all of its
// traces. It returns nil if the server is not a view.
func (r *Remote) Waiting(ctx context.Context, id trace.TraceID) func(trace.SpanID) (in []string, waits bool) {
	if r.direct {
		return nil
	}
	u := r.base
	u.Path += page.TracesAPI + "/" + id.String() + page.WaitingAPI
	body, err := r.fetch(ctx, u)
	if err != nil {
		return nil
	}
	defer body.Close()
	var answer struct {
		Waiting []page.WaitingSpan `json:"waiting"`
	}
	if err := json.NewDecoder(io.LimitReader(body, MaxBytes)).Decode(&answer); err != nil || answer.Waiting == nil {
		return nil
	}
	waiting := make(map[string][]string, len(answer.Waiting))
	for _, w := range answer.Waiting {
		waiting[w.Span] = w.In
	}
	return func(id trace.SpanID) ([]string, bool) {
		in, ok := waiting[id.String()]
		return in, ok
	}
}

func (r *Remote) get(ctx context.Context, path string) ([]spans.Trace, error) {
	u := r.base
	u.Path += path
	response, err := r.ask(ctx, u)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	limited := &io.LimitedReader{R: response.Body, N: MaxBytes}
	traces, result, err := tracefile.Traces(limited)
	if err == nil && limited.N <= 0 {
		err = errors.New("larger than 1 GiB")
	}
	if err != nil {
		return nil, fmt.Errorf("the answer of %s: %w", public(u), err)
	}
	r.warnings = append(r.warnings, result.Warnings()...)
	// A view answers with one trace.
	if dropped, err := strconv.Atoi(response.Header.Get(page.DroppedHeader)); err == nil && dropped > 0 && len(traces) == 1 {
		traces[0].Dropped = dropped
	}
	return traces, nil
}

// fetch returns the body of an answer with status 200.
func (r *Remote) fetch(ctx context.Context, u url.URL) (io.ReadCloser, error) {
	response, err := r.ask(ctx, u)
	if err != nil {
		return nil, err
	}
	return response.Body, nil
}

// ask returns a good answer.
func (r *Remote) ask(ctx context.Context, u url.URL) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), http.NoBody)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Accept", "application/json")
	response, err := r.client.Do(request)
	if err != nil {
		var quoting *url.Error
		if errors.As(err, &quoting) { // it quotes the user
			err = quoting.Err
		}
		return nil, fmt.Errorf("ask %s: %w", public(u), err)
	}
	switch response.StatusCode {
	case http.StatusOK:
		return response, nil
	case http.StatusNotFound:
		_ = response.Body.Close()
		return nil, ErrNotFound
	}
	defer response.Body.Close()
	const maxReason = 1024
	reason, _ := io.ReadAll(io.LimitReader(response.Body, maxReason))
	return nil, fmt.Errorf("%s answers %s: %s", public(u), response.Status, strings.TrimSpace(string(reason)))
}
