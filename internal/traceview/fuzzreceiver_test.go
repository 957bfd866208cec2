package traceview_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/mqtrace/mqtrace/internal/traceview"
	"github.com/mqtrace/mqtrace/internal/traceview/page"
	"github.com/mqtrace/mqtrace/internal/traceview/sample"
)

// unconsumed has two messages to an exchange, one consumed in one queue and the other in
// two, and a task that is due later.
const unconsumed = `{"resourceSpans":[{"scopeSpans":[{"spans":[
{"traceId":"00000000000000000000000000000001","spanId":"0000000000000001","kind":4,"name":"publish","startTimeUnixNano":"1700000000000000000","endTimeUnixNano":"1700000000000000001","attributes":[{"key":"messaging.system","value":{"stringValue":"rabbitmq"}},{"key":"messaging.destination.name","value":{"stringValue":"orders:k"}},{"key":"messaging.rabbitmq.destination.routing_key","value":{"stringValue":"k"}}]},
{"traceId":"00000000000000000000000000000001","spanId":"0000000000000002","parentSpanId":"0000000000000001","kind":5,"startTimeUnixNano":"1700000000000000002","attributes":[{"key":"messaging.destination.name","value":{"stringValue":"orders:k:a"}},{"key":"messaging.rabbitmq.destination.routing_key","value":{"stringValue":"k"}}]},
{"traceId":"00000000000000000000000000000001","spanId":"0000000000000003","parentSpanId":"0000000000000001","kind":5,"startTimeUnixNano":"1700000000000000002","attributes":[{"key":"messaging.destination.name","value":{"stringValue":"orders:k:b"}},{"key":"mqtrace.dead_letter.queues","value":{"stringValue":"[\"c\"]"}}]},
{"traceId":"00000000000000000000000000000002","spanId":"0000000000000001","kind":4,"startTimeUnixNano":"1700000000000000003","endTimeUnixNano":"1700000000000000004","attributes":[{"key":"messaging.system","value":{"stringValue":"rabbitmq"}},{"key":"messaging.destination.name","value":{"stringValue":"orders:k"}},{"key":"messaging.rabbitmq.destination.routing_key","value":{"stringValue":"k"}}]},
{"traceId":"00000000000000000000000000000003","spanId":"0000000000000002","kind":5,"links":[{"traceId":"00000000000000000000000000000002","spanId":"0000000000000001"}],"attributes":[{"key":"messaging.destination.name","value":{"stringValue":"orders:k:a"}}]},
{"traceId":"00000000000000000000000000000004","spanId":"0000000000000001","kind":4,"startTimeUnixNano":"1","endTimeUnixNano":"2","attributes":[{"key":"messaging.system","value":{"stringValue":"asynq"}},{"key":"messaging.destination.name","value":{"stringValue":"emails"}},{"key":"mqtrace.due_time","value":{"stringValue":"9999-12-31T23:59:59Z"}}]}]}]}]}`

// FuzzReceiver posts its input as an exporter would, and requests the result: there must be
// no panic, an answer that OTLP allows, and JSON for the page.
func FuzzReceiver(f *testing.F) {
	body, err := os.ReadFile(filepath.Join("otlp", "testdata", "request.json"))
	if err != nil {
		f.Fatal(err)
	}

	wire := sample.Marshal(f, sample.Request(sample.FullSpan()))
	f.Add(body, "application/json", "")
	f.Add(wire, "application/x-protobuf", "")
	f.Add(zipped(f, wire), "application/x-protobuf", "gzip")
	f.Add([]byte(unconsumed), "application/json", "")
	f.Add(zipped(f, body), "application/json; charset=utf-8", "gzip")
	f.Add(zipped(f, make([]byte, 1<<20)), "application/json", "gzip")
	f.Add(body, "text/plain", "br")
	f.Fuzz(func(t *testing.T, body []byte, contentType, encoding string) {
		handler := traceview.NewHandler(traceview.NewStore(
			traceview.Limits{Traces: 10, Spans: 100, Bytes: 1 << 20, RequestBytes: 1 << 16}))
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, traceview.TracesPath, bytes.NewReader(body))
		r.Header.Set("Content-Type", contentType)
		r.Header.Set("Content-Encoding", encoding)

		if status := serve(handler, r).Code; !slices.Contains([]int{
			http.StatusOK, http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType,
		}, status) {
			t.Errorf("answered %d", status)
		}

		list := serve(handler, httptest.NewRequestWithContext(t.Context(), http.MethodGet, traceview.TracesAPI, nil))
		var shown struct {
			Traces []struct {
				ID string `json:"id"`
			} `json:"traces"`
		}

		if err := json.Unmarshal(list.Body.Bytes(), &shown); err != nil || list.Code != http.StatusOK {
			t.Fatalf("the list is %d %s: %v", list.Code, list.Body, err)
		}

		if got := serve(handler, httptest.NewRequestWithContext(t.Context(), http.MethodGet, page.QueuesAPI, nil)); got.Code != http.StatusOK || !json.Valid(got.Body.Bytes()) {
			t.Errorf("the queues are %d %s", got.Code, got.Body)
		}

		for _, tr := range shown.Traces {
			for _, view := range []string{"", "/waterfall", "/waiting"} {
				got := serve(handler, httptest.NewRequestWithContext(t.Context(), http.MethodGet,
					traceview.TracesAPI+"/"+tr.ID+view, nil))
				if got.Code != http.StatusOK || !json.Valid(got.Body.Bytes()) {
					t.Errorf("trace %s%s is %d %s", tr.ID, view, got.Code, got.Body)
				}
			}
		}
	})
}

func serve(h http.Handler, r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)

	return w
}

func zipped(f *testing.F, body []byte) []byte {
	f.Helper()

	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = w.Write(body)
	_ = w.Close()

	return b.Bytes()
}
