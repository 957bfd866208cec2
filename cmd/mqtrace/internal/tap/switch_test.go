package tap_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/mqtrace/mqtrace/cmd/mqtrace/internal/management"
	"github.com/mqtrace/mqtrace/cmd/mqtrace/internal/tap"
)

// httpAPI is RabbitMQ's HTTP API for one virtual host. As there, an update replaces
// everything.
type httpAPI struct {
	vhost  map[string]any
	status int // to answer with, 0 for the correct one
}

func (m *httpAPI) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	user, password, _ := r.BasicAuth()
	switch {
	case m.status != 0:
		w.Header().Set("Location", "http://127.0.0.1:1/")
		w.WriteHeader(m.status)
	case user != "admin" || password != "ge:heim":
		w.WriteHeader(http.StatusUnauthorized)
	case r.URL.EscapedPath() != "/rabbit/api/vhosts/a%2Fb":
		w.WriteHeader(http.StatusNotFound)
	case r.Method == http.MethodGet:
		_, _ = io.WriteString(w, asJSON(m.vhost))
	case r.Method == http.MethodPut:
		body, _ := io.ReadAll(r.Body)
		m.vhost = map[string]any{}
		_ = json.Unmarshal(body, &m.vhost)
		if tags, ok := m.vhost["tags"].(string); ok {
			m.vhost["tags"] = strings.Split(tags, ",")
		}
		w.WriteHeader(http.StatusNoContent)
	}
}

func asJSON(vhost map[string]any) string {
	text, err := json.Marshal(vhost)
	if err != nil {
		panic(err)
	}
	return string(text)
}

func TestManagement(t *testing.T) {
	m := &httpAPI{vhost: map[string]any{
		"description": "orders", "tags": []string{"eu", "prod"}, "default_queue_type": "quorum", "tracing": false,
	}}
	server := httptest.NewServer(m)
	defer server.Close()
	u, err := url.Parse(server.URL + "/rabbit/")
	ok(t, err)
	u.User = url.UserPassword("admin", "ge:heim")
	api := tap.Management{API: management.Client{URL: u}, VHost: "a/b"}
	for _, on := range []bool{true, false} {
		ok(t, api.Set(t.Context(), on))
		want := asJSON(map[string]any{
			"description": "orders", "tags": []string{"eu", "prod"}, "default_queue_type": "quorum", "tracing": on,
		})
		if is := asJSON(m.vhost); is != want {
			t.Errorf("the virtual host is now %s, want %s", is, want)
		}
	}

	before := m.vhost
	for what, use := range map[string]func(){
		"no virtual host \"b\"": func() { api.VHost = "b" },
		"administrator":         func() { u.User = url.UserPassword("admin", "geheimer") },
		"500":                   func() { m.status = http.StatusInternalServerError },
		"302":                   func() { m.status = http.StatusFound },
		"connection refused":    func() { u.Host = "127.0.0.1:1" },
	} {
		u.User, api.VHost, m.status, u.Host = url.UserPassword("admin", "ge:heim"), "a/b", 0, strings.TrimPrefix(server.URL, "http://")
		use()
		err := api.Set(t.Context(), true)
		if err == nil || !strings.Contains(err.Error(), what) || strings.Contains(err.Error(), "heim") {
			t.Errorf("error %v, want one of %s", err, what)
		}
	}
	if len(m.vhost) != len(before) {
		t.Error("an error changes the virtual host")
	}
}

func TestControlCommand(t *testing.T) {
	for _, tt := range []struct {
		command []string
		on      bool
		want    string
	}{
		{[]string{"sh", "-c", `[ "$*" = "-q trace_on -p a b" ]`, "sh"}, true, ""},
		{[]string{"sh", "-c", `[ "$*" = "-q trace_off -p a b" ]`, "sh"}, false, ""},
		{[]string{"sh", "-c", "echo no node; echo more; exit 69"}, true, "exit status 69 no node"},
		{[]string{"mqtrace-no-such-program"}, true, "executable file not found"},
	} {
		err := tap.Control{Command: tt.command, VHost: "a b"}.Set(context.Background(), tt.on)
		if (err == nil) != (tt.want == "") || err != nil && (!strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "more")) {
			t.Errorf("%q: %v", tt.command, err)
		}
	}
}

// A script's child process keeps the output open when the script is killed.
func TestControlIsGivenUp(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	begun := time.Now()
	err := tap.Control{Command: []string{"sh", "-c", "sleep 20; :"}, VHost: "/"}.Set(ctx, true)
	if took := time.Since(begun); err == nil || took > 15*time.Second {
		t.Errorf("%v after %v", err, took)
	}
}
