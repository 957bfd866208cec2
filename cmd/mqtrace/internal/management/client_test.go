package management_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/mqtrace/mqtrace/cmd/mqtrace/internal/management"
)

func TestQueueType(t *testing.T) {
	status, answer := http.StatusOK, ""
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user, password, _ := r.BasicAuth(); user != "reader" || password != "ge:heim" {
			t.Errorf("user %q, password %q", user, password)
		}
		if path := r.URL.EscapedPath(); r.Method != http.MethodGet || path != "/rabbit/api/queues/%2F/a%2Fb%20c" {
			t.Errorf("%s %s", r.Method, path)
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, answer)
	}))
	defer server.Close()
	u, err := url.Parse(server.URL + "/rabbit/")
	if err != nil {
		t.Fatal(err)
	}
	u.User = url.UserPassword("reader", "ge:heim")
	for _, tt := range []struct {
		status       int
		answer, want string
		err          string
	}{
		{http.StatusOK, `{"name":"a/b c","type":"quorum"}`, "quorum", ""},
		{http.StatusOK, `{}`, "", "does not report"},
		{http.StatusOK, `<html>`, "", "does not report"},
		{http.StatusNotFound, `{"error":"Object Not Found"}`, "", management.ErrNotFound.Error()},
		{http.StatusUnauthorized, `{"error":"not_authorized"}`, "", management.ErrUnauthorized.Error()},
		{http.StatusInternalServerError, ``, "", "500"},
	} {
		status, answer = tt.status, tt.answer
		got, err := management.Client{URL: u}.QueueType(t.Context(), "/", "a/b c")
		if got != tt.want || (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
			t.Errorf("%d %s: %q, %v", tt.status, tt.answer, got, err)
		}
	}
	server.Close()
	if _, err := (management.Client{URL: u}).QueueType(t.Context(), "/", "a/b c"); err == nil || errors.Is(err, management.ErrNotFound) || strings.Contains(err.Error(), "heim") {
		t.Errorf("nobody there: %v", err)
	}
}
