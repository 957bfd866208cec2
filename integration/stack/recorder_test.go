//go:build stack

package stack_test

import (
	"bytes"
	"compress/gzip"
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync"
	"testing"
	"time"

	collectorpb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	resourcepb "go.opentelemetry.io/proto/otlp/resource/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// recorder is in front of a Collector, forwards everything unchanged, and remembers the
// spans, with which those that the Collector has kept are compared. It shares no code with
// sampling.
type recorder struct {
	*httptest.Server

	mu     sync.Mutex
	traces map[string]*trace

	// Sizes of requests with spans, as received and as gzip would have sent them.
	requests, spans, bytes, zipped int
}

// trace is the part of a trace that was sent, or that Jaeger has.
type trace struct {
	spans         []*span
	first, latest time.Time // when its first and its latest span came
}

type span struct {
	id, parent, name, service string
	start, end                time.Time
	failed                    bool
	attributes                map[string]any
	linked                    []string               // ids of traces
	raw                       *tracepb.ResourceSpans // the span alone
}

func startRecorder(t *testing.T, c *collector) *recorder {
	t.Helper()
	target, err := url.Parse(c.url)
	if err != nil {
		t.Fatal(err)
	}
	r := &recorder{traces: make(map[string]*trace)}
	proxy := httputil.NewSingleHostReverseProxy(target)
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		body, err := io.ReadAll(request.Body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		if request.URL.Path == "/v1/traces" {
			if err := r.record(body); err != nil {
				t.Errorf("unreadable spans: %v", err)
			}
		}
		request.Body = io.NopCloser(bytes.NewReader(body))
		proxy.ServeHTTP(w, request)
	}))
	t.Cleanup(r.Close)
	return r
}

func (r *recorder) record(body []byte) error {
	var request collectorpb.ExportTraceServiceRequest
	if err := proto.Unmarshal(body, &request); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.requests++
	r.bytes += len(body)
	r.zipped += zipped(body)
	for _, rs := range request.GetResourceSpans() {
		service := serviceOf(rs.GetResource())
		for _, ss := range rs.GetScopeSpans() {
			for _, in := range ss.GetSpans() {
				s := spanOf(in, service)
				s.raw = &tracepb.ResourceSpans{
					Resource: rs.GetResource(), SchemaUrl: rs.GetSchemaUrl(),
					ScopeSpans: []*tracepb.ScopeSpans{
						{Scope: ss.GetScope(), SchemaUrl: ss.GetSchemaUrl(), Spans: []*tracepb.Span{in}},
					},
				}
				r.add(hex.EncodeToString(in.GetTraceId()), s)
			}
		}
	}
	return nil
}

func serviceOf(resource *resourcepb.Resource) string {
	for _, kv := range resource.GetAttributes() {
		if kv.GetKey() == "service.name" {
			return kv.GetValue().GetStringValue()
		}
	}
	return ""
}

func (r *recorder) add(id string, s *span) {
	r.spans++
	tr := r.traces[id]
	if tr == nil {
		tr = &trace{first: time.Now()}
		r.traces[id] = tr
	}
	tr.latest = time.Now()
	tr.spans = append(tr.spans, s)
}

func zipped(body []byte) int {
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	_, _ = w.Write(body)
	_ = w.Close()
	return out.Len()
}

func spanOf(in *tracepb.Span, service string) *span {
	s := &span{
		id:         hex.EncodeToString(in.GetSpanId()),
		parent:     hex.EncodeToString(in.GetParentSpanId()),
		name:       in.GetName(),
		service:    service,
		start:      time.Unix(0, int64(in.GetStartTimeUnixNano())),
		end:        time.Unix(0, int64(in.GetEndTimeUnixNano())),
		failed:     in.GetStatus().GetCode() == tracepb.Status_STATUS_CODE_ERROR,
		attributes: make(map[string]any),
	}
	for _, kv := range in.GetAttributes() {
		s.attributes[kv.GetKey()] = kv.GetValue()
	}
	for _, link := range in.GetLinks() {
		s.linked = append(s.linked, hex.EncodeToString(link.GetTraceId()))
	}
	return s
}

// trace returns what has come of a trace so far, or nil.
func (r *recorder) trace(id string) *trace {
	r.mu.Lock()
	defer r.mu.Unlock()
	tr := r.traces[id]
	if tr == nil {
		return nil
	}
	snapshot := *tr
	return &snapshot
}

// ids returns the ids of all traces.
func (r *recorder) ids() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var ids []string
	for id := range r.traces {
		ids = append(ids, id)
	}
	return ids
}
