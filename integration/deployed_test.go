package integration_test

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/mqtrace/mqtrace/examples/order-notification/backend"
	"github.com/mqtrace/mqtrace/examples/order-notification/config"
)

// A span that waits this long in the batch processor leaves only by the flush
// at the end.
const onlyTheFlush = "OTEL_BSP_SCHEDULE_DELAY=600000"

// deployed is the three services as processes of their own.
type deployed struct {
	names

	order, notification, email *program
	url                        string // of the order API
}

func deploy(t *testing.T, cfg config.Config, env ...string) *deployed {
	t.Helper()
	b, err := backend.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	env = append(env,
		amqpVariable+"="+b.AMQPURL, redisVariable+"="+b.Redis.Addr, "NAME_PREFIX="+b.Prefix, "HTTP_ADDR=127.0.0.1:0")
	d := &deployed{
		names:        namesOf(b),
		order:        start(t, env, "-run", "order"),
		notification: start(t, env, "-run", "notification"),
		email:        start(t, env, "-run", "email"),
	}
	d.url, _ = d.order.logged(t, "taking orders")["url"].(string)
	d.notification.logged(t, "consuming order events")
	d.email.logged(t, "waiting for email tasks")
	return d
}

// terminate stops all three at once, as a deployment does.
func (d *deployed) terminate(t *testing.T) {
	t.Helper()
	programs := []*program{d.order, d.notification, d.email}
	for _, p := range programs {
		p.signal(t)
	}
	for _, p := range programs {
		p.stopped(t)
	}
}

func TestDeployedServicesFlushOnSIGTERM(t *testing.T) {
	t.Parallel()
	withEachConfig(t, testFlush)
}

func testFlush(t *testing.T, cfg config.Config) {
	c := newCollector(t)
	d := deploy(t, cfg, "OTEL_EXPORTER_OTLP_ENDPOINT="+c.URL, onlyTheFlush)
	r := post(t, d.url, orderOf("customer@example.com", "tok_ok", "tea"), "X-Tenant-ID", "acme")
	if r.status != http.StatusCreated {
		t.Fatalf("status %d, body %v", r.status, r.body)
	}
	line := d.email.logged(t, "email sent")
	if line["trace_id"] != r.traceID || line["trace_flags"] != "01" {
		t.Errorf("the email worker's line is not of trace %s: %v", r.traceID, line)
	}
	if tr, _ := c.trace(r.traceID); len(tr) != 0 {
		t.Fatalf("spans left before the flush: %q", tr.keys())
	}
	d.terminate(t)
	tr := c.wait(t, r.traceID, postOrders, payments, d.publish, d.notify, d.enqueue, d.mail, sendEmail)
	if len(tr) != 12 {
		t.Errorf("spans: %q, want 12", tr.keys())
	}
}

func TestServiceNameFromTheEnvironment(t *testing.T) {
	t.Parallel()
	c := newCollector(t)
	d := deploy(t, config.Config{}, "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT="+c.URL+"/v1/traces",
		"OTEL_SERVICE_NAME=renamed", "OTEL_RESOURCE_ATTRIBUTES=deployment.environment.name=staging,team=tea",
		"OTEL_BSP_SCHEDULE_DELAY=20")
	r := post(t, d.url, orderOf("customer@example.com", "tok_ok", "tea"))
	tr := c.wait(t, r.traceID, "renamed: POST /orders", payments, "renamed: process "+d.emailQueue)
	for _, s := range tr {
		if s.resource["deployment.environment.name"] != "staging" || s.resource["team"] != "tea" {
			t.Errorf("%s: resource %v", s.key(), s.resource)
		}
	}
	d.terminate(t)
}

func TestHealthcheck(t *testing.T) {
	t.Parallel()
	d := deploy(t, config.Config{}, "OTEL_TRACES_EXPORTER=none")
	for _, p := range []*program{d.order, d.notification, d.email} {
		url := ""
		for _, line := range p.lines() {
			if text, ok := line["url"].(string); ok {
				url = text
			}
		}
		addr := "HTTP_ADDR=" + strings.TrimPrefix(url, "http://")
		if _, code := finish(t, errorLimit, []string{addr}, "-healthcheck"); code != 0 {
			t.Errorf("%v is up, and -healthcheck exits %d", p.command.Args, code)
		}
		p.terminate(t)
		if _, code := finish(t, errorLimit, []string{addr}, "-healthcheck"); code != 1 {
			t.Errorf("%v is down, and -healthcheck exits %d", p.command.Args, code)
		}
	}
}
