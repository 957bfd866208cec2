package integration_test

import (
	"maps"
	"net/http"
	"slices"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"
)

// expected is a span that must exist, with every property given.
type expected struct {
	key, parent string
	kind        string
	link        string // key of the span it links to
	attrs       attrs  // which it has, among others
	scope       string
}

const (
	amqpScope    = "github.com/mqtrace/mqtrace/amqptrace"
	asynqScope   = "github.com/mqtrace/mqtrace/asynqtrace"
	httpScope    = "go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	exampleScope = "github.com/mqtrace/mqtrace/examples/order-notification"
)

func TestGoodOrder(t *testing.T) {
	onEachBackend(t, func(t *testing.T, s *stage) {
		r := post(t, s.url, orderOf("customer@example.com", "tok_ok", "tea"), "X-Tenant-ID", "acme")
		if r.status != http.StatusCreated {
			t.Fatalf("status %d, body %v", r.status, r.body)
		}
		orderID, _ := r.body["order_id"].(string)
		if orderID == "" {
			t.Fatalf("no order_id in %v", r.body)
		}
		want := s.goodOrder(t, orderID)
		keys := make([]string, len(want))
		for i, e := range want {
			keys[i] = e.key
		}
		tr := s.wait(t, r.traceID, keys...)

		slices.Sort(keys)
		if got := tr.keys(); !slices.Equal(got, keys) {
			t.Fatalf("spans:\ngot  %q\nwant %q", got, keys)
		}
		for _, e := range want {
			check(t, tr, e)
		}
		checkResources(t, tr)
		checkTimes(t, tr)
		checkLogs(t, s, tr, r.traceID)
	})
}

// goodOrder lists the trace of a good order, span by span.
func (s *stage) goodOrder(t *testing.T, orderID string) []expected {
	t.Helper()
	uri, err := amqp.ParseURI(s.backend.AMQPURL)
	if err != nil {
		t.Fatal(err)
	}
	destination := s.exchange + ":order.created"
	broker := attrs{
		"messaging.system": "rabbitmq", "server.address": uri.Host, "server.port": int64(uri.Port),
		"messaging.rabbitmq.destination.routing_key": "order.created", "messaging.message.id": orderID,
	}
	task := attrs{
		"messaging.system": "asynq", "messaging.destination.name": s.emailQueue,
		"messaging.message.id": "confirm-" + orderID, "asynq.task.type": "email:order-confirmation",
	}
	ours := attrs{"order.id": orderID}
	return []expected{
		{key: postOrders, kind: "server", scope: httpScope, attrs: attrs{
			"http.request.method": "POST", "http.route": "/orders", "url.path": "/orders", "url.scheme": "http",
			"http.response.status_code": int64(http.StatusCreated),
		}},
		{key: placeOrder, parent: postOrders, kind: "internal", scope: exampleScope, attrs: with(ours, attrs{
			"order.total": int64(450), "order.items": int64(1), "order.outcome": "accepted", "tenant.id": "acme",
		})},
		{key: inventory, parent: placeOrder, kind: "internal", scope: exampleScope, attrs: with(ours, attrs{
			"inventory.in_stock": true,
		})},
		{key: charge, parent: placeOrder, kind: "internal", scope: exampleScope, attrs: ours},
		{key: postPayments, parent: charge, kind: "client", scope: httpScope, attrs: attrs{
			"http.request.method": "POST", "http.response.status_code": int64(http.StatusCreated),
		}},
		{key: payments, parent: postPayments, kind: "server", scope: httpScope, attrs: attrs{
			"http.route": "/payments", "http.response.status_code": int64(http.StatusCreated),
		}},
		{key: authorize, parent: payments, kind: "internal", scope: exampleScope, attrs: ours},
		{key: s.publish, parent: placeOrder, kind: "producer", scope: amqpScope, attrs: with(broker, attrs{
			"messaging.operation.name": "publish", "messaging.operation.type": "send",
			"messaging.destination.name": destination, "mqtrace.publish.outcome": "acked",
		})},
		{key: s.notify, parent: s.publish, link: s.publish, kind: "consumer", scope: amqpScope,
			attrs: with(broker, with(ours, attrs{
				"messaging.operation.name": "process", "messaging.operation.type": "process",
				"messaging.destination.name":              destination + ":" + s.queue,
				"messaging.rabbitmq.message.delivery_tag": int64(1), "mqtrace.settlement": "ack",
			}))},
		{key: s.enqueue, parent: s.notify, kind: "producer", scope: asynqScope, attrs: with(task, attrs{
			"messaging.operation.name": "enqueue", "messaging.operation.type": "send",
		})},
		{key: s.mail, parent: s.enqueue, link: s.enqueue, kind: "consumer", scope: asynqScope,
			attrs: with(task, with(ours, attrs{
				"messaging.operation.name": "process", "messaging.operation.type": "process",
				"asynq.task.retry_count": int64(0), "asynq.task.max_retry": int64(5),
				"asynq.task.outcome": "done", "tenant.id": "acme",
			}))},
		{key: sendEmail, parent: s.mail, kind: "internal", scope: exampleScope, attrs: ours},
	}
}

func with(a, b attrs) attrs {
	out := maps.Clone(a)
	maps.Copy(out, b)
	return out
}

// check compares a successful span, the only one with its key, with what was
// expected of it.
func check(t *testing.T, tr trace, e expected) {
	t.Helper()
	s := tr.all(e.key)[0]
	parent := ""
	if e.parent != "" {
		parent = tr.all(e.parent)[0].id
	}
	var links []string
	if e.link != "" {
		links = []string{tr.all(e.link)[0].ref()}
	}
	if s.kind != e.kind || s.parent != parent || s.scope != e.scope {
		t.Errorf("%s: kind %s, parent %s, scope %s; want %s, %s (%s), %s",
			e.key, s.kind, s.parent, s.scope, e.kind, parent, e.parent, e.scope)
	}
	if !slices.Equal(s.links, links) {
		t.Errorf("%s: links %q, want %q (%s)", e.key, s.links, links, e.link)
	}
	if s.status != "" || s.message != "" || s.events != 0 || s.attrs["error.type"] != nil {
		t.Errorf("%s has an error, or events: %v", e.key, s)
	}
	checkAttrs(t, s, e.attrs)
}

func checkAttrs(t *testing.T, s *span, want attrs) {
	t.Helper()
	for key, value := range want {
		if s.attrs[key] != value {
			t.Errorf("%s: %s is %v (%[3]T), want %v (%[4]T)", s.key(), key, s.attrs[key], value)
		}
	}
}

func checkResources(t *testing.T, tr trace) {
	t.Helper()
	for _, s := range tr {
		if s.resource["service.version"] != "1.2.3" || s.resource["deployment.environment.name"] != "development" ||
			s.resource["telemetry.sdk.name"] != "opentelemetry" || s.schema == "" && s.scope != httpScope {
			t.Errorf("%s: resource %v, schema %q", s.key(), s.resource, s.schema)
		}
	}
}

// checkTimes assumes one machine's clock.
func checkTimes(t *testing.T, tr trace) {
	t.Helper()
	byID := make(map[string]*span, len(tr))
	for _, s := range tr {
		byID[s.id] = s
	}
	for _, s := range tr {
		if s.end.Before(s.start) {
			t.Errorf("%s ends before it starts", s.key())
		}
		if parent := byID[s.parent]; parent != nil && s.start.Before(parent.start) {
			t.Errorf("%s starts before its parent %s", s.key(), parent.key())
		}
	}
}

// checkLogs expects a line from each service that logs, with the ids of a span of that
// service in this trace.
func checkLogs(t *testing.T, s *stage, tr trace, traceID string) {
	t.Helper()
	lines := s.logs.of(t, traceID)
	for service, message := range map[string]string{
		"order-service": "order accepted", "notification-service": "email queued", "email-worker": "email sent",
	} {
		at := slices.IndexFunc(lines, func(l map[string]string) bool {
			return l["service"] == service && l["msg"] == message
		})
		if at < 0 {
			t.Errorf("%s did not log %q in trace %s", service, message, traceID)
			continue
		}
		line := lines[at]
		owned := slices.ContainsFunc(tr, func(sp *span) bool { return sp.service == service && sp.id == line["span_id"] })
		if !owned || line["trace_flags"] != "01" {
			t.Errorf("%s logs with the wrong ids: %v", service, line)
		}
	}
}
