package integration_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/mqtrace/mqtrace/examples/order-notification/config"
)

func TestEmailRetryIsInTheSameTrace(t *testing.T) {
	onEachBackend(t, func(t *testing.T, s *stage) {
		r := post(t, s.url, orderOf("flaky@example.com", "tok_ok", "tea"), "X-Tenant-ID", "acme")
		if r.status != http.StatusCreated {
			t.Fatalf("status %d, body %v", r.status, r.body)
		}
		tr := s.wait(t, r.traceID, postOrders, s.mail, s.mail, sendEmail, sendEmail)
		enqueue, attempts := tr.all(s.enqueue)[0], tr.all(s.mail)
		for i, attempt := range attempts {
			if attempt.parent != enqueue.id || !slices.Equal(attempt.links, []string{enqueue.ref()}) {
				t.Errorf("attempt %d: parent %s, links %q, want the enqueue %s", i, attempt.parent, attempt.links, enqueue.id)
			}
			checkAttrs(t, attempt, attrs{"asynq.task.retry_count": int64(i), "tenant.id": "acme"})
		}
		checkFailed(t, attempts[0], "mailbox busy", "mailbox_busy")
		checkAttrs(t, attempts[0], attrs{"asynq.task.outcome": "retry"})
		checkFine(t, attempts[1])
		checkAttrs(t, attempts[1], attrs{"asynq.task.outcome": "done"})
		for i, sent := range tr.all(sendEmail) {
			if sent.parent != attempts[i].id {
				t.Errorf("send email %d is not under attempt %d", i, i)
			}
		}
		if at := slices.IndexFunc(s.logs.of(t, r.traceID), func(l map[string]string) bool {
			return l["service"] == "email-worker" && l["level"] == "WARN" && l["span_id"] == attempts[0].id
		}); at < 0 {
			t.Error("the failed attempt was not logged with its span's id")
		}
	})
}

func TestOutOfStockIsNoError(t *testing.T) {
	onEachBackend(t, func(t *testing.T, s *stage) {
		r := post(t, s.url, orderOf("customer@example.com", "tok_ok", "samovar"))
		if r.status != http.StatusConflict || r.body["code"] != "out_of_stock" || r.body["trace_id"] != r.traceID {
			t.Fatalf("status %d, body %v", r.status, r.body)
		}
		tr := s.wait(t, r.traceID, postOrders, placeOrder, inventory)
		if len(tr) != 3 {
			t.Errorf("spans: %q, want three", tr.keys())
		}
		for _, sp := range tr {
			checkFine(t, sp)
		}
		checkAttrs(t, tr.all(placeOrder)[0], attrs{"order.outcome": "out_of_stock"})
		checkAttrs(t, tr.all(inventory)[0], attrs{"inventory.in_stock": false})
		for _, line := range s.logs.of(t, r.traceID) {
			if line["level"] != "INFO" {
				t.Errorf("logged as trouble: %v", line)
			}
		}
	})
}

func TestPaymentNotMade(t *testing.T) {
	for name, want := range map[string]struct {
		token                 string
		status, paymentStatus int
		outcome               string
		authorizeError        string
	}{
		"declined":    {"tok_declined", 402, 402, "payment_declined", "card_declined"},
		"unavailable": {"tok_unavailable", 502, 503, "payment_failed", "provider_unavailable"},
		"panic":       {"tok_panic", 502, 500, "payment_failed", "panic"},
	} {
		t.Run(name, func(t *testing.T) {
			onEachBackend(t, func(t *testing.T, s *stage) {
				r := post(t, s.url, orderOf("customer@example.com", want.token, "tea"))
				if r.status != want.status || r.body["code"] != want.outcome {
					t.Fatalf("status %d, body %v", r.status, r.body)
				}
				tr := s.wait(t, r.traceID, postOrders, placeOrder, inventory, charge, postPayments, payments, authorize)
				checkFailed(t, tr.all(authorize)[0], "", want.authorizeError)
				checkFailed(t, tr.all(charge)[0], "payment", want.outcome)
				checkFailed(t, tr.all(placeOrder)[0], "payment", want.outcome)
				checkAttrs(t, tr.all(placeOrder)[0], attrs{"order.outcome": want.outcome})
				for _, key := range []string{postPayments, payments} {
					checkAttrs(t, tr.all(key)[0], attrs{"http.response.status_code": int64(want.paymentStatus)})
				}
				if tr.all(postPayments)[0].status != "error" {
					t.Error("the client span of the payment is not an error")
				}
				// A server span is an error from status 500 on, by the HTTP conventions.
				if failed := tr.all(postOrders)[0].status == "error"; failed != (want.status >= 500) {
					t.Errorf("POST /orders answers %d, and that its span is an error is %v", want.status, failed)
				}
				checkPaymentLogs(t, s, tr, r.traceID, name == "panic")
			})
		})
	}
}

// checkPaymentLogs expects the failure in the logs of both services, with the stack if
// there was a panic.
func checkPaymentLogs(t *testing.T, s *stage, tr trace, traceID string, panicked bool) {
	t.Helper()
	seen := make(map[string]bool)
	for _, line := range s.logs.of(t, traceID) {
		if line["error"] == "" {
			continue
		}
		seen[line["service"]] = true
		hasStack := strings.Contains(line["stack"], "authorize.go")
		if hasStack != (panicked && line["service"] == "payment-service") {
			t.Errorf("stack in the log line: %v: %v", hasStack, line)
		}
		if !slices.ContainsFunc(tr, func(sp *span) bool { return sp.service == line["service"] && sp.id == line["span_id"] }) {
			t.Errorf("the line has no span of its service: %v", line)
		}
	}
	if !seen["order-service"] || !seen["payment-service"] {
		t.Errorf("errors were logged by %v only", seen)
	}
}

func TestStockIsGivenBackWhenPaymentFails(t *testing.T) {
	s := newStage(t, config.Config{})
	// All there are.
	body := `{"email":"customer@example.com","payment_token":"TOKEN","items":[{"sku":"caddy","quantity":100}]}`
	for range 3 {
		if r := post(t, s.url, strings.Replace(body, "TOKEN", "tok_declined", 1)); r.status != http.StatusPaymentRequired {
			t.Fatalf("status %d, body %v", r.status, r.body)
		}
	}
	for _, status := range []int{http.StatusCreated, http.StatusConflict} {
		if r := post(t, s.url, strings.Replace(body, "TOKEN", "tok_ok", 1)); r.status != status {
			t.Fatalf("status %d, body %v; want %d", r.status, r.body, status)
		}
	}
}

// checkFailed expects status error, text in its message, and that error.type.
func checkFailed(t *testing.T, s *span, text, errorType string) {
	t.Helper()
	if s.status != "error" || !strings.Contains(s.message, text) || s.attrs["error.type"] != errorType {
		t.Errorf("%v: want an error with %q, error.type %q", s, text, errorType)
	}
	if s.events != 0 {
		t.Errorf("%s has events: errors go into the log", s.key())
	}
}

func checkFine(t *testing.T, s *span) {
	t.Helper()
	if s.status != "" || s.attrs["error.type"] != nil {
		t.Errorf("%v: want no error", s)
	}
}
