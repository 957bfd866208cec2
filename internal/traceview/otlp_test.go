package traceview_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	collectorpb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	statuspb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/mqtrace/mqtrace/internal/traceview"
)

const (
	protobufType = "application/x-protobuf"
	jsonType     = "application/json"
)

// post sends a body to the handler. Headers come in pairs.
func post(h http.Handler, body io.Reader, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, traceview.TracesPath, body)
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}

	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)

	return w
}

// decodeAnswer checks that the answer has the encoding that it declares, and decodes it.
func decodeAnswer(t *testing.T, w *httptest.ResponseRecorder, into proto.Message) {
	t.Helper()

	var err error

	switch w.Header().Get("Content-Type") {
	case protobufType:
		err = proto.Unmarshal(w.Body.Bytes(), into)
	case jsonType:
		if !json.Valid(w.Body.Bytes()) {
			t.Fatalf("not JSON: %q", w.Body)
		}

		err = protojson.Unmarshal(w.Body.Bytes(), into)
	default:
		t.Fatalf("Content-Type %q", w.Header().Get("Content-Type"))
	}

	if err != nil {
		t.Fatalf("%v: %q", err, w.Body)
	}
}

func wantError(t *testing.T, w *httptest.ResponseRecorder, status int, contentType string) {
	t.Helper()

	if w.Code != status || w.Header().Get("Content-Type") != contentType {
		t.Fatalf("got %d %s, want %d %s: %s", w.Code, w.Header().Get("Content-Type"), status, contentType, w.Body)
	}

	var answer statuspb.Status

	decodeAnswer(t, w, &answer)

	if answer.GetMessage() == "" || answer.GetCode() == 0 {
		t.Errorf("no message or no code: %v", &answer)
	}
}

// wantSuccess checks for 200 and returns how many spans were refused.
func wantSuccess(t *testing.T, w *httptest.ResponseRecorder, contentType string) *collectorpb.ExportTracePartialSuccess {
	t.Helper()

	if w.Code != http.StatusOK || w.Header().Get("Content-Type") != contentType {
		t.Fatalf("got %d %s, want 200 %s: %s", w.Code, w.Header().Get("Content-Type"), contentType, w.Body)
	}

	var answer collectorpb.ExportTraceServiceResponse

	decodeAnswer(t, w, &answer)

	return answer.GetPartialSuccess()
}
