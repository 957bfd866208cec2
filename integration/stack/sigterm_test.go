//go:build stack

package stack_test

import (
	"context"
	"testing"
	"time"

	"github.com/mqtrace/mqtrace/examples/order-notification/email"
	orderservice "github.com/mqtrace/mqtrace/examples/order-notification/order"
)

// Each service is stopped and replaced in the middle of its work, as in a deployment, and
// no span of an answered order is missing in Jaeger.
func TestSIGTERM(t *testing.T) {
	t.Parallel()
	j := startJaeger(t)
	c := startCollector(t, j.otlp, "SAMPLING_PERCENTAGE=100")
	s := startServices(t, servers(t), c.url,
		"OTEL_METRICS_EXPORTER=none", "OTEL_LOGS_EXPORTER=none",
		// Spans that have not left by the end of a process are lost.
		"OTEL_BSP_SCHEDULE_DELAY=600000")
	customers := newCustomers(t, s.url)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		customers.send(ctx, steadyRate, func(int) (kind, bool) { return good, true })
	}()
	for _, replace := range []struct {
		which **program
		start func(*testing.T)
	}{{&s.order, s.startOrder}, {&s.notification, s.startNotification}, {&s.email, s.startEmail}} {
		more := len(customers.answered()) + steadyRate
		eventually(t, "orders go on", func() bool { return len(customers.answered()) > more })
		(*replace.which).terminate(t)
		replace.start(t)
	}
	time.Sleep(time.Second)
	stop()
	<-done
	orders := customers.answered()
	t.Logf("%d orders, of which %d were answered", customers.placed(), len(orders))
	s.awaitEmails(t, len(orders))
	s.stop(t)
	c.terminate(t)

	kept := j.traces(t)
	whole := 0
	for _, o := range orders {
		tr := kept[o.trace]
		if tr == nil {
			t.Errorf("no span of the trace of an answered order: %s", o.trace)
			continue
		}
		if orphan := tr.orphan(); orphan != nil {
			t.Errorf("trace %s lacks the parent of %s", o.trace, orphan.name)
		}
		// A message in flight may have been processed twice.
		if tr.count(orderservice.Name, "POST /orders") != 1 || tr.count(email.Name, "send email") == 0 || len(tr.spans) < 12 {
			t.Errorf("trace %s is not whole: %d spans", o.trace, len(tr.spans))
			continue
		}
		whole++
	}
	t.Logf("%d traces are whole", whole)
}
