package httpserver

import (
	"encoding/json"
	"net/http"
	"strings"

	"go.opentelemetry.io/otel/trace"
)

// Problem is the body of every response that is not a success.
type Problem struct {
	// Code is for programs, Message for people.
	Code    string `json:"code"`
	Message string `json:"message"`
	TraceID string `json:"trace_id,omitempty"`
}

// WriteJSON responds with body. A body that cannot be marshaled is a bug in this program;
// the response then has the status and no body.
func WriteJSON(w http.ResponseWriter, status int, body any) {
	data, err := json.Marshal(body)
	if err != nil {
		status, data = http.StatusInternalServerError, []byte("{}")
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(data, '\n')) // The client has gone away.
}

// WriteError responds with a [Problem] that has the id of the request's trace.
func WriteError(w http.ResponseWriter, r *http.Request, status int, code, message string) {
	problem := Problem{Code: code, Message: message}
	if sc := trace.SpanContextFromContext(r.Context()); sc.IsValid() {
		problem.TraceID = sc.TraceID().String()
	}
	WriteJSON(w, status, problem)
}

// jsonErrors serves mux, and responds with JSON in place of mux's plain text if the path or
// the method is unknown.
func jsonErrors(mux *http.ServeMux) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Pattern != "" {
			mux.ServeHTTP(w, r)
			return
		}
		mux.ServeHTTP(&errorWriter{ResponseWriter: w, request: r}, r)
	})
}

// errorWriter keeps the status and the headers (Allow, Location) of a response and writes a
// body of its own.
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
