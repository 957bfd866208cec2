package integration_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/mqtrace/mqtrace/examples/order-notification/config"
)

func TestAPIRefusesBadInput(t *testing.T) {
	s := newStage(t, config.Config{})
	good := orderOf("customer@example.com", "tok_ok", "tea")
	for name, c := range map[string]struct {
		method, path, body string
		headers            []string
		status             int
		code, message      string
		route              string
	}{
		"no body":       {body: "", status: 400, code: "bad_json"},
		"cut off":       {body: `{"email":`, status: 400, code: "bad_json"},
		"wrong type":    {body: `{"email":7}`, status: 400, code: "bad_json"},
		"not an object": {body: `[]`, status: 400, code: "bad_json"},
		"unknown field": {body: `{"e-mail":"a@example.com"}`, status: 400, code: "bad_json", message: "e-mail"},
		"two objects":   {body: good + good, status: 400, code: "bad_json", message: "after"},
		"too large":     {body: `{"email":"` + strings.Repeat("x", 100_000) + `"}`, status: 413, code: "too_large"},
		"nothing in it": {body: `{}`, status: 422, code: "invalid_order", message: "payment_token is missing"},
		"bad email":     {body: orderOf("nobody", "tok_ok", "tea"), status: 422, code: "invalid_order", message: "email"},
		"bad article":   {body: orderOf("a@example.com", "tok_ok", "coffee"), status: 422, code: "invalid_order", message: "items[0]"},
		"bad quantity": {
			body: strings.Replace(good, `"quantity":1`, `"quantity":-1`, 1), status: 422,
			code: "invalid_order", message: "quantity",
		},
		"bad tenant":   {body: good, headers: []string{"X-Tenant-ID", "a;b=c"}, status: 400, code: "bad_tenant"},
		"long tenant":  {body: good, headers: []string{"X-Tenant-ID", strings.Repeat("a", 65)}, status: 400, code: "bad_tenant"},
		"bad baggage":  {body: good, headers: []string{"Baggage", "tenant.id=a%20b"}, status: 400, code: "bad_tenant"},
		"wrong method": {method: http.MethodPut, body: good, status: 405, code: "method_not_allowed", route: "PUT"},
		"wrong path":   {path: "/ordres", body: good, status: 404, code: "not_found", route: "POST"},
	} {
		t.Run(name, func(t *testing.T) {
			method, path, route := "POST", "/orders", "POST /orders"
			if c.method != "" {
				method = c.method
			}
			if c.path != "" {
				path = c.path
			}
			if c.route != "" {
				route = c.route
			}
			r := do(t, method, s.url+path, c.body, c.headers...)
			message, _ := r.body["message"].(string)
			if r.status != c.status || r.body["code"] != c.code || !strings.Contains(message, c.message) {
				t.Errorf("status %d, body %v; want %d, %s, %q", r.status, r.body, c.status, c.code, c.message)
			}
			if r.traceID == "" || r.body["trace_id"] != r.traceID || r.header.Get("Content-Type") != "application/json" {
				t.Errorf("x-trace-id %q, body %v, headers %v", r.traceID, r.body, r.header)
			}
			// A client's mistake is not a server error, and not an order.
			tr := s.wait(t, r.traceID, "order-service: "+route)
			if len(tr) != 1 {
				t.Errorf("spans: %q, want one", tr.keys())
			}
			checkFine(t, tr[0])
			checkAttrs(t, tr[0], attrs{"http.response.status_code": int64(c.status)})
		})
	}
}

func TestHealthIsNotTraced(t *testing.T) {
	s := newStage(t, config.Config{})
	for range 3 {
		metrics, err := httpClient.Get(s.url + "/metrics")
		if err != nil {
			t.Fatal(err)
		}
		metrics.Body.Close()
		if metrics.StatusCode != http.StatusOK || metrics.Header.Get("X-Trace-Id") != "" {
			t.Fatalf("/metrics: %s, %v", metrics.Status, metrics.Header)
		}
		if r := do(t, http.MethodGet, s.url+"/healthz", ""); r.status != http.StatusOK || r.traceID != "" {
			t.Fatalf("status %d, x-trace-id %q, body %v", r.status, r.traceID, r.body)
		}
	}
	// The spans of this order arrive later than those of the health checks would.
	r := post(t, s.url, orderOf("customer@example.com", "tok_ok", "samovar"))
	s.wait(t, r.traceID, postOrders)
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, sp := range s.spans {
		if strings.Contains(sp.name, "healthz") || strings.Contains(sp.name, "metrics") {
			t.Errorf("traced: %v", sp)
		}
	}
}

func TestCallerIsParentAndItsBaggageTravels(t *testing.T) {
	onEachBackend(t, func(t *testing.T, s *stage) {
		const traceID, spanID = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
		r := post(t, s.url, orderOf("customer@example.com", "tok_ok", "tea"),
			"Traceparent", "00-"+traceID+"-"+spanID+"-01", "Baggage", "tenant.id=globex,other=1")
		if r.status != http.StatusCreated || r.traceID != traceID {
			t.Fatalf("status %d, x-trace-id %s, body %v", r.status, r.traceID, r.body)
		}
		// The caller's span never arrives here, so wait for all others.
		late := patienceOver()
		for {
			tr, changed := s.trace(traceID)
			if tr.has(postOrders, s.mail) {
				if got := tr.all(postOrders)[0].parent; got != spanID {
					t.Errorf("parent of POST /orders is %s, want the caller's %s", got, spanID)
				}
				checkAttrs(t, tr.all(s.mail)[0], attrs{"tenant.id": "globex"})
				return
			}
			select {
			case <-changed:
			case <-late:
				t.Fatalf("spans: %q", tr.keys())
			}
		}
	})
}

func TestWithoutTenantThereIsNone(t *testing.T) {
	s := newStage(t, config.Config{})
	r := post(t, s.url, orderOf("customer@example.com", "tok_ok", "tea"))
	tr := s.wait(t, r.traceID, postOrders, s.mail)
	if got, ok := tr.all(s.mail)[0].attrs["tenant.id"]; ok {
		t.Errorf("tenant.id is %v", got)
	}
}

func TestUnsampledCallerIsFollowed(t *testing.T) {
	s := newStage(t, config.Config{})
	const traceID = "0af7651916cd43dd8448eb211c80319d"
	r := post(t, s.url, orderOf("customer@example.com", "tok_ok", "tea"),
		"Traceparent", "00-"+traceID+"-b7ad6b7169203331-00")
	if r.status != http.StatusCreated || r.traceID != traceID {
		t.Fatalf("status %d, x-trace-id %s", r.status, r.traceID)
	}
	sampled := post(t, s.url, orderOf("customer@example.com", "tok_ok", "tea"))
	s.wait(t, sampled.traceID, postOrders, s.mail)
	if tr, _ := s.trace(traceID); len(tr) != 0 {
		t.Errorf("recorded although the caller's trace is not sampled: %q", tr.keys())
	}
	if lines := s.logs.of(t, traceID); len(lines) == 0 || lines[0]["trace_flags"] != "00" {
		t.Errorf("log lines of the unsampled trace: %v", lines)
	}
}
