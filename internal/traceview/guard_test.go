package traceview_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/mqtrace/mqtrace/internal/traceview"
	"github.com/mqtrace/mqtrace/internal/traceview/sample"
)

// ask sends a browser's request to the handler, which is at localhost:4318.
func ask(h http.Handler, method, path string, headers map[string]string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, strings.NewReader("{}"))
	r.Host = "localhost:4318"
	r.Header.Set("Content-Type", jsonType)

	for key, value := range headers {
		r.Header.Set(key, value)
	}

	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)

	return w
}

var paths = map[string]string{
	traceview.TracesPath:                               http.MethodPost,
	"/api/traces":                                      http.MethodGet,
	"/api/traces/" + sample.ID.String():                http.MethodGet,
	"/api/traces/" + sample.ID.String() + "/waterfall": http.MethodGet,
	"/api/traces/" + sample.ID.String() + "/spans/" + sample.SpanID(1).String(): http.MethodGet,
	"/":              http.MethodGet,
	"/assets/app.js": http.MethodGet,
}

func TestOtherOriginsAreRefusedEverywhere(t *testing.T) {
	h := stored(sample.Order().Spans...)

	for path, method := range paths {
		for name, headers := range map[string]map[string]string{
			"another origin":        {"Origin": "https://evil.example"},
			"another port":          {"Origin": "http://localhost:3000"},
			"a sandboxed page":      {"Origin": "null"},
			"another site":          {"Sec-Fetch-Site": "cross-site"},
			"another port, fetched": {"Sec-Fetch-Site": "same-site"},
			"a script tag":          {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "script"},
			"a frame":               {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"},
			"a form":                {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document", "Origin": "https://evil.example"},
		} {
			w := ask(h, method, path, headers)
			if w.Code != http.StatusForbidden || strings.Contains(w.Body.String(), "POST /orders") {
				t.Errorf("%s of %s: %d %s", path, name, w.Code, w.Body)
			}
		}

		for name, headers := range map[string]map[string]string{
			"no browser":      {},
			"the page":        {"Origin": "http://localhost:4318", "Sec-Fetch-Site": "same-origin"},
			"the address bar": {"Sec-Fetch-Site": "none", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"},
		} {
			if w := ask(h, method, path, headers); w.Code != http.StatusOK {
				t.Errorf("%s by %s: %d %s", path, name, w.Code, w.Body)
			}
		}
	}
}

// A link to the page may be in a chat or on a dashboard; the page itself reveals nothing.
// Nothing else may be opened that way.
func TestLinksFromElsewhereOpenThePage(t *testing.T) {
	h := stored(sample.Order().Spans...)

	for path, method := range paths {
		want := http.StatusForbidden
		if path == "/" {
			want = http.StatusOK
		}

		if w := ask(h, method, path, map[string]string{
			"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document",
		}); w.Code != want {
			t.Errorf("%s: %d, want %d", path, w.Code, want)
		}
	}
}

func TestEveryAnswerTellsBrowsersWhatTheyMayDo(t *testing.T) {
	h := stored(sample.Order().Spans...)
	for path, method := range paths {
		checkGuarded(t, path, ask(h, method, path, nil))
		checkGuarded(t, path, ask(h, method, path, map[string]string{"Origin": "null"}))
	}

	for _, path := range []string{"/nothing", "/assets/", "/api/traces/1"} {
		checkGuarded(t, path, ask(h, http.MethodGet, path, nil))
	}
}

func checkGuarded(t *testing.T, path string, w *httptest.ResponseRecorder) {
	t.Helper()

	policy := w.Header().Get("Content-Security-Policy")
	for _, want := range []string{"default-src 'none'", "frame-ancestors 'none'", "require-trusted-types-for 'script'"} {
		if !strings.Contains(policy, want) {
			t.Errorf("%s: policy %q", path, policy)
		}
	}

	if strings.Contains(policy, "unsafe") || w.Header().Get("X-Content-Type-Options") != "nosniff" ||
		w.Header().Get("Cross-Origin-Resource-Policy") != "same-origin" {
		t.Errorf("%s: %v", path, w.Header())
	}

	for name := range w.Header() {
		if strings.HasPrefix(name, "Access-Control-") {
			t.Errorf("%s: %s is set", path, name)
		}
	}
}

func TestNothingElseIsServed(t *testing.T) {
	h := stored(sample.Order().Spans...)

	for path, method := range map[string]string{
		"/index.html": http.MethodGet, "/assets/none.js": http.MethodGet, "/assets/../page.go": http.MethodGet,
		"/v1/logs": http.MethodPost, "/api": http.MethodGet, "/api/traces/": http.MethodGet,
	} {
		if w := ask(h, method, path, nil); w.Code == http.StatusOK {
			t.Errorf("%s: %d", path, w.Code)
		}
	}

	for path := range paths {
		if path != traceview.TracesPath {
			if w := ask(h, http.MethodPost, path, nil); w.Code != http.StatusMethodNotAllowed {
				t.Errorf("POST %s: %d", path, w.Code)
			}
		}

		if w := ask(h, http.MethodDelete, path, nil); w.Code != http.StatusMethodNotAllowed {
			t.Errorf("DELETE %s: %d", path, w.Code)
		}
	}
}

func TestPage(t *testing.T) {
	h := stored()

	w := get(h, "/")
	if !strings.HasPrefix(w.Header().Get("Content-Type"), "text/html") {
		t.Errorf("%v", w.Header())
	}

	// The page has no inline scripts, and everything that it refers to is served here.
	for _, part := range strings.Split(w.Body.String(), `="`)[1:] {
		name, _, _ := strings.Cut(part, `"`)
		if strings.Contains(name, "//") {
			t.Errorf("the page names %s", name)
		}

		if strings.HasPrefix(name, "assets/") {
			if w := get(h, "/"+name); w.Code != http.StatusOK {
				t.Errorf("%s: %d", name, w.Code)
			}
		}
	}

	for path, want := range map[string]string{"/assets/app.js": "text/javascript", "/assets/base.css": "text/css", "/assets/icon.svg": "image/svg+xml"} {
		if got := get(h, path).Header().Get("Content-Type"); !strings.HasPrefix(got, want) {
			t.Errorf("%s: %s", path, got)
		}
	}
}
