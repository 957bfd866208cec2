package integration_test

import (
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/mqtrace/mqtrace/examples/order-notification/config"
	"github.com/mqtrace/mqtrace/examples/order-notification/email"
	"github.com/mqtrace/mqtrace/examples/order-notification/notification"
	"github.com/mqtrace/mqtrace/examples/order-notification/order"
	"github.com/mqtrace/mqtrace/examples/order-notification/payment"
)

// All three signals leave only by the flush at the end.
var onlyTheFlushOfAll = []string{onlyTheFlush, "OTEL_BLRP_SCHEDULE_DELAY=600000", "OTEL_METRIC_EXPORT_INTERVAL=600000"}

func TestDeployedServicesSendLogsAndMetrics(t *testing.T) {
	t.Parallel()
	withEachConfig(t, testSignals)
}

func testSignals(t *testing.T, cfg config.Config) {
	c := newCollector(t)
	d := deploy(t, cfg, append([]string{"OTEL_EXPORTER_OTLP_ENDPOINT=" + c.URL}, onlyTheFlushOfAll...)...)
	r := post(t, d.url, orderOf("customer@example.com", "tok_ok", "tea"))
	d.email.logged(t, "email sent")
	if lines := c.logged(r.traceID); len(lines) != 0 || len(c.metricNames(order.Name)) != 0 {
		t.Fatalf("logs or metrics left before the flush: %q", lines)
	}
	d.terminate(t)

	want := []string{"email-worker: email sent", "notification-service: email queued", "order-service: order accepted"}
	if got := c.logged(r.traceID); !slices.Equal(got, want) {
		t.Errorf("log records of the trace: %q, want %q", got, want)
	}
	c.checkMetricNames(t)
	if id := c.last(order.Name, "messaging.client.sent.messages", "")[""].resource["service.instance.id"]; id == nil {
		t.Error("two instances of a service could not be told apart")
	}
	queue := "messaging.destination.name"
	checkPoint(t, c.last(order.Name, "messaging.client.sent.messages", queue)[d.exchange], 1, "")
	checkPoint(t, c.last(order.Name, "messaging.client.operation.duration", queue)[d.exchange], 1, r.traceID)
	checkPoint(t, c.last(notification.Name, "messaging.client.consumed.messages", queue)[d.queue], 1, "")
	checkPoint(t, c.last(notification.Name, "messaging.client.sent.messages", queue)[d.emailQueue], 1, "")
	for service, from := range map[string]string{notification.Name: d.queue, email.Name: d.emailQueue} {
		checkPoint(t, c.last(service, "messaging.process.duration", queue)[from], 1, r.traceID)
		waited := c.last(service, "mqtrace.queue_time", queue)[from]
		checkPoint(t, waited, 1, r.traceID)
		if waited != nil && (waited.unit != "s" || waited.sum <= 0 || waited.sum > patience.Seconds()) {
			t.Errorf("queue time of %s: %v %s", from, waited.sum, waited.unit)
		}
	}
	tr := c.wait(t, r.traceID, d.notify, d.mail)
	for _, key := range []string{d.notify, d.mail} {
		if waited, ok := tr.all(key)[0].attrs["mqtrace.queue_time"].(float64); !ok || waited <= 0 {
			t.Errorf("%s has no queue time: %v", key, tr.all(key)[0])
		}
	}
}

// checkMetricNames compares the services' metrics with a list: every metric costs money,
// and dashboards depend on them.
func (c *collector) checkMetricNames(t *testing.T) {
	t.Helper()
	for service, want := range map[string][]string{
		order.Name: {
			"http.client.request.body.size", "http.client.request.duration",
			"http.server.request.body.size", "http.server.request.duration", "http.server.response.body.size",
			"messaging.client.operation.duration", "messaging.client.sent.messages",
		},
		payment.Name: {"http.server.request.body.size", "http.server.request.duration", "http.server.response.body.size"},
		notification.Name: {
			"messaging.client.consumed.messages", "messaging.client.operation.duration",
			"messaging.client.sent.messages", "messaging.process.duration", "mqtrace.messages.settled", "mqtrace.queue_time",
		},
		email.Name: {
			"messaging.client.consumed.messages", "messaging.process.duration", "mqtrace.messages.settled", "mqtrace.queue_time",
		},
	} {
		if got := c.metricNames(service); !slices.Equal(got, want) {
			t.Errorf("metrics of %s: %q, want %q", service, got, want)
		}
	}
}

// checkPoint expects count measurements and, if a trace is given, an exemplar from that
// trace.
func checkPoint(t *testing.T, p *metricPoint, count uint64, traceID string) {
	t.Helper()
	if p == nil {
		t.Error("there is no such point")
		return
	}
	if p.count != count {
		t.Errorf("%s of %s: %d measurements, want %d", p.name, p.service, p.count, count)
	}
	if traceID != "" && !slices.Equal(p.exemplars, []string{traceID}) {
		t.Errorf("%s of %s: exemplars %q, want one of trace %s", p.name, p.service, p.exemplars, traceID)
	}
}

func TestSignalsThatNobodyWants(t *testing.T) {
	t.Parallel()
	c := newCollector(t)
	d := deploy(t, config.Config{}, "OTEL_EXPORTER_OTLP_ENDPOINT="+c.URL,
		"OTEL_METRICS_EXPORTER=none", "OTEL_LOGS_EXPORTER=none")
	r := post(t, d.url, orderOf("customer@example.com", "tok_ok", "tea"))
	d.email.logged(t, "email sent")
	d.terminate(t)
	c.wait(t, r.traceID, postOrders, d.mail)
	if len(c.logs) != 0 || len(c.metrics) != 0 {
		t.Errorf("%d log records and %d metric points were sent", len(c.logs), len(c.metrics))
	}
}

// A Collector with tail sampling keeps it because of its duration.
func TestSlowPayment(t *testing.T) {
	t.Parallel()
	s := newStage(t, config.Config{})
	r := post(t, s.url, orderOf("customer@example.com", payment.TokenSlow, "tea"))
	if r.status != http.StatusCreated {
		t.Fatalf("status %d, body %v", r.status, r.body)
	}
	tr := s.wait(t, r.traceID, postOrders, authorize, s.mail)
	slow := tr.all(authorize)[0]
	if took := slow.end.Sub(slow.start); took <= 2*time.Second {
		t.Errorf("it took %v", took)
	}
	for _, sp := range tr {
		checkFine(t, sp)
	}
}
