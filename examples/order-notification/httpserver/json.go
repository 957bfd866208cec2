package httpserver

import (
	"encoding/json"
	"net/http"
	"strings"

	"go.opentelemetry.io/otel/trace"
)

// Problem is the body of every answer that is not a success.
type Problem struct {
	// Code is for programs, Message for people.
	Code    string `json:"code"`
	Message string `json:"message"`
	TraceID string `json:"trace_id,omitempty"`
}

// WriteJSON answers with body. A body that cannot be marshalled is a mistake
// in this program; the answer then has its status and no body.
func WriteJSON(w http.ResponseWriter, status int, body any) {
	data, err := json.Marshal(body)
	if err != nil {
		status, data = http.StatusInternalServerError, []byte("{}")
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(data, '\n')) // A client that has gone away does not care.
}

// WriteError answers with a [Problem] that names the request's trace.
func WriteError(w http.ResponseWriter, r *http.Request, status int, code, message string) {
	problem := Problem{Code: code, Message: message}
	if sc := trace.SpanContextFromContext(r.Context()); sc.IsValid() {
		problem.TraceID = sc.TraceID().String()
	}
	WriteJSON(w, status, problem)
}

// jsonErrors serves mux, and puts JSON in place of the plain text with which a
// mux answers for a path or a method it does not know.
func jsonErrors(mux *http.ServeMux) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Pattern != "" {
			mux.ServeHTTP(w, r)
			return
		}
		mux.ServeHTTP(&errorWriter{ResponseWriter: w, request: r}, r)
	})
}

// errorWriter keeps the status and the headers (Allow, Location) of an answer
// and writes a body of its own.
type errorWriter struct {
	http.ResponseWriter

	request *http.Request
}

func (w *errorWriter) WriteHeader(status int) {
	text := http.StatusText(status)
	code := strings.ToLower(strings.ReplaceAll(text, " ", "_"))
	WriteError(w.ResponseWriter, w.request, status, code, text)
}

func (w *errorWriter) Write(b []byte) (int, error) { return len(b), nil }
