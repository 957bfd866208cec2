package traceview_test

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/iotest"

	"go.opentelemetry.io/otel/trace"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"

	"github.com/mqtrace/mqtrace/internal/traceview"
	"github.com/mqtrace/mqtrace/internal/traceview/sample"
)

const jsonSpan = `{"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"order-api"}}]},
	"scopeSpans":[{"spans":[{"traceId":%q,"spanId":%q,"name":"publish orders","kind":4,
	"startTimeUnixNano":"1700000000000000001","endTimeUnixNano":1700000000000000501}]}]}]}`

func TestHandlerAcceptsEachEncoding(t *testing.T) {
	body := sample.Marshal(t, sample.Request(sample.WireSpan(sample.ID, 1)))
	inJSON := fmt.Appendf(nil, jsonSpan, sample.ID, sample.SpanID(1))

	for _, tt := range []struct {
		name, contentType, encoding, answer string
		body                                []byte
	}{
		{"protobuf", protobufType, "", protobufType, body},
		{"protobuf, identity", protobufType, "identity", protobufType, body},
		{"protobuf, gzip", protobufType, "gzip", protobufType, sample.Compress(t, body)},
		{"protobuf, GZIP", protobufType, " GZIP ", protobufType, sample.Compress(t, body)},
		{"JSON", jsonType, "", jsonType, inJSON},
		{"JSON with a charset", jsonType + `; charset="utf-8"`, "", jsonType, inJSON},
		{"JSON in capitals", "Application/JSON", "", jsonType, inJSON},
		{"JSON, gzip", jsonType, "gzip", jsonType, sample.Compress(t, inJSON)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			store := traceview.NewStore(traceview.Limits{})
			w := post(traceview.NewHandler(store), bytes.NewReader(tt.body),
				"Content-Type", tt.contentType, "Content-Encoding", tt.encoding)

			if partial := wantSuccess(t, w, tt.answer); partial != nil {
				t.Errorf("partial success: %v", partial)
			}

			tr, ok := store.Trace(sample.ID)
			if !ok || len(tr.Spans) != 1 {
				t.Fatalf("stored: %v %+v", ok, tr)
			}

			s := tr.Spans[0]
			if s.SpanID != sample.SpanID(1) || s.Name != "publish orders" || s.Kind != trace.SpanKindProducer ||
				s.Service != "order-api" || s.Duration() != 500 || s.Start.UnixNano() != 1_700_000_000_000_000_001 {
				t.Errorf("got %+v", s)
			}
		})
	}
}

func TestHandlerAcceptsAnEmptyRequest(t *testing.T) {
	h := traceview.NewHandler(traceview.NewStore(traceview.Limits{}))
	wantSuccess(t, post(h, http.NoBody, "Content-Type", protobufType), protobufType)
	wantSuccess(t, post(h, strings.NewReader("{}"), "Content-Type", jsonType), jsonType)
	wantSuccess(t, post(h, strings.NewReader("\ufeff{}"), "Content-Type", jsonType), jsonType)
}

// What does not fit its headers is described in the words of the sender.
func TestHandlerExplains(t *testing.T) {
	body := sample.Compress(t, []byte(`{"resourceSpans":[]}`))
	h := traceview.NewHandler(traceview.NewStore(traceview.Limits{}))

	for want, sent := range map[string][]byte{"the body is incomplete": body[:20], "Content-Encoding is gzip, but the body is not": []byte("{}")} {
		w := post(h, bytes.NewReader(sent), "Content-Type", jsonType, "Content-Encoding", "gzip")
		if wantError(t, w, 400, jsonType); !strings.Contains(w.Body.String(), want) {
			t.Errorf("%s", w.Body)
		}
	}
}

func TestHandlerRefuses(t *testing.T) {
	body := sample.Marshal(t, sample.Request(sample.WireSpan(sample.ID, 1)))

	for _, tt := range []struct {
		name    string
		method  string
		body    []byte
		headers []string
		status  int
		answer  string
	}{
		{"GET", http.MethodGet, nil, nil, 405, jsonType},
		{"OPTIONS", http.MethodOptions, nil, nil, 405, jsonType},
		{"PUT", http.MethodPut, body, []string{"Content-Type", protobufType}, 405, protobufType},
		{"no type", http.MethodPost, body, nil, 415, jsonType},
		{"text", http.MethodPost, body, []string{"Content-Type", "text/plain"}, 415, jsonType},
		{"a broken type", http.MethodPost, body, []string{"Content-Type", "application/json;;="}, 415, jsonType},
		{"brotli", http.MethodPost, body, []string{"Content-Type", protobufType, "Content-Encoding", "br"}, 415, protobufType},
		{"gzip twice", http.MethodPost, body, []string{"Content-Type", jsonType, "Content-Encoding", "gzip, gzip"}, 415, jsonType},
		{"malformed protobuf", http.MethodPost, []byte("\x0a\xffnonsense"), []string{"Content-Type", protobufType}, 400, protobufType},
		{"a protobuf cut short", http.MethodPost, body[:len(body)-3], []string{"Content-Type", protobufType}, 400, protobufType},
		{"malformed JSON", http.MethodPost, []byte(`{"resourceSpans":[`), []string{"Content-Type", jsonType}, 400, jsonType},
		{"JSON after JSON", http.MethodPost, []byte(`{}{}`), []string{"Content-Type", jsonType}, 400, jsonType},
		{"JSON of another form", http.MethodPost, []byte(`{"resourceSpans":7}`), []string{"Content-Type", jsonType}, 400, jsonType},
		{"JSON of Jaeger", http.MethodPost, []byte(`{"data":[]}`), []string{"Content-Type", jsonType}, 400, jsonType},
		{"JSON of logs", http.MethodPost, []byte(`{"resourceLogs":[]}`), []string{"Content-Type", jsonType}, 400, jsonType},
		{"no JSON at all", http.MethodPost, nil, []string{"Content-Type", jsonType}, 400, jsonType},
		{"no gzip", http.MethodPost, body, []string{"Content-Type", protobufType, "Content-Encoding", "gzip"}, 400, protobufType},
		{"a gzip cut short", http.MethodPost, sample.Compress(t, body)[:30], []string{"Content-Type", protobufType, "Content-Encoding", "gzip"}, 400, protobufType},
		{"another origin", http.MethodPost, body, []string{"Content-Type", protobufType, "Origin", "https://evil.example"}, 403, protobufType},
		{"a sandboxed page", http.MethodPost, body, []string{"Content-Type", protobufType, "Origin", "null"}, 403, protobufType},
		{"another site", http.MethodPost, body, []string{"Content-Type", jsonType, "Sec-Fetch-Site", "cross-site"}, 403, jsonType},
	} {
		t.Run(tt.name, func(t *testing.T) {
			store := traceview.NewStore(traceview.Limits{})
			r := httptest.NewRequest(tt.method, traceview.TracesPath, bytes.NewReader(tt.body))

			for i := 0; i < len(tt.headers); i += 2 {
				r.Header.Set(tt.headers[i], tt.headers[i+1])
			}

			w := httptest.NewRecorder()
			traceview.NewHandler(store).ServeHTTP(w, r)
			wantError(t, w, tt.status, tt.answer)

			if tt.status == 405 && w.Header().Get("Allow") != http.MethodPost {
				t.Errorf("Allow: %q", w.Header().Get("Allow"))
			}

			for name := range w.Header() {
				if strings.HasPrefix(name, "Access-Control-") {
					t.Errorf("%s is set", name)
				}
			}

			if n := store.Stats().Spans; n != 0 {
				t.Errorf("%d spans stored", n)
			}
		})
	}
}

// Exporters of metrics and logs say why they fail.
func TestHandlerServesNothingElse(t *testing.T) {
	for path, variable := range map[string]string{
		"/v1/metrics": "OTEL_METRICS_EXPORTER=none", "/v1/logs": "OTEL_LOGS_EXPORTER=none", "/v1/profiles": "",
	} {
		r := httptest.NewRequest(http.MethodPost, path, http.NoBody)
		w := httptest.NewRecorder()
		traceview.NewHandler(traceview.NewStore(traceview.Limits{})).ServeHTTP(w, r)

		if w.Code != http.StatusNotFound || !strings.Contains(w.Body.String(), variable) {
			t.Errorf("%s: %d, %s", path, w.Code, w.Body)
		}
	}
}

func TestHandlerSurvivesABrokenConnection(t *testing.T) {
	h := traceview.NewHandler(traceview.NewStore(traceview.Limits{}))
	w := post(h, iotest.ErrReader(errors.New("connection reset")), "Content-Type", protobufType)
	wantError(t, w, http.StatusBadRequest, protobufType)
}

func TestHandlerReportsRefusedSpans(t *testing.T) {
	good := sample.WireSpan(sample.ID, 1)
	spans := []*tracepb.Span{good}

	for _, change := range []func(*tracepb.Span){
		func(s *tracepb.Span) { s.TraceId = make([]byte, 16) },
		func(s *tracepb.Span) { s.TraceId = s.GetTraceId()[:15] },
		func(s *tracepb.Span) { s.TraceId = append(s.GetTraceId()[:16:16], 1) },
		func(s *tracepb.Span) { s.TraceId = nil },
		func(s *tracepb.Span) { s.SpanId = make([]byte, 8) },
		func(s *tracepb.Span) { s.SpanId = s.GetSpanId()[:7] },
		func(s *tracepb.Span) { s.SpanId = nil },
	} {
		s := sample.WireSpan(sample.ID, uint64(len(spans)+1))
		change(s)

		spans = append(spans, s)
	}

	for _, contentType := range []string{protobufType, jsonType} {
		store := traceview.NewStore(traceview.Limits{})
		body := sample.Marshal(t, sample.Request(spans...))

		if contentType == jsonType {
			body = sample.JSON(t, sample.Request(spans...))
		}

		partial := wantSuccess(t, post(traceview.NewHandler(store), bytes.NewReader(body), "Content-Type", contentType), contentType)
		if partial.GetRejectedSpans() != 7 || partial.GetErrorMessage() == "" {
			t.Errorf("%s: partial success: %v", contentType, partial)
		}

		if stats := store.Stats(); stats.Spans != 1 || stats.InvalidSpans != 7 {
			t.Errorf("%s: %+v", contentType, stats)
		}
	}
}

func TestHandlerReportsSpansBeyondTheLimits(t *testing.T) {
	store := traceview.NewStore(traceview.Limits{Spans: 2})
	body := sample.Marshal(t, sample.Request(sample.WireSpan(sample.ID, 1), sample.WireSpan(sample.ID, 2), sample.WireSpan(sample.ID, 3)))
	w := post(traceview.NewHandler(store), bytes.NewReader(body), "Content-Type", protobufType)

	if partial := wantSuccess(t, w, protobufType); partial.GetRejectedSpans() != 1 {
		t.Errorf("partial success: %v", partial)
	}
}

// A retry by the exporter is not a partial success: everything is there.
func TestHandlerStoresARetryOnce(t *testing.T) {
	store := traceview.NewStore(traceview.Limits{})
	h := traceview.NewHandler(store)
	body := sample.Marshal(t, sample.Request(sample.WireSpan(sample.ID, 1), sample.WireSpan(sample.ID, 2)))

	for range 2 {
		if partial := wantSuccess(t, post(h, bytes.NewReader(body), "Content-Type", protobufType), protobufType); partial != nil {
			t.Errorf("partial success: %v", partial)
		}
	}

	if stats := store.Stats(); stats.Spans != 2 || stats.DuplicateSpans != 2 {
		t.Errorf("%+v", stats)
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }
