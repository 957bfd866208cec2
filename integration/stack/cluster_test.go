//go:build stack

package stack_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/mqtrace/mqtrace/examples/order-notification/email"
)

// The node that leads the queue of orders, and to which all services are connected, is
// killed under load. Every order that was accepted gets its email, in a whole trace.
func TestClusterLosesANode(t *testing.T) {
	n := startNodes(t)
	var addrs []string
	for i := range 3 {
		addrs = append(addrs, "127.0.0.1:"+itoa(n.port+i))
	}
	cfg := servers(t)
	b := startBalancer(t, addrs...)
	cfg.AMQPURL = "amqp://guest:guest@" + b.addr() + "/" + vhost
	j := startJaeger(t)
	c := startCollector(t, j.otlp, "SAMPLING_PERCENTAGE=100")
	s := startServices(t, cfg, c.url, "OTEL_METRICS_EXPORTER=none", "OTEL_LOGS_EXPORTER=none")

	queue := s.Topology().Queue
	queueType, leader, online := n.queue("n1", queue)
	if !strings.Contains(queueType, "quorum") || online != 3 {
		t.Fatalf("queue %s is of type %q with %d members, want a quorum queue with three", queue, queueType, online)
	}
	b.prefer(addrs[leader[1]-'1'])
	customers := newCustomers(t, s.url)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		customers.send(ctx, steadyRate, func(int) (kind, bool) { return good, true })
	}()
	progress := func() {
		t.Helper()
		more := len(customers.answered()) + steadyRate
		eventually(t, "orders go on", func() bool { return len(customers.answered()) > more })
	}
	progress()
	before := customers.placed()
	n.script("kill9", leader)
	killed := time.Now()
	progress()
	t.Logf("the leader %s was killed; %d orders were accepted after %v", leader, steadyRate, time.Since(killed).Round(time.Millisecond))
	progress()
	stop()
	<-done
	orders := customers.answered()
	t.Logf("%d orders, %d of them before the loss, %d accepted", customers.placed(), before, len(orders))
	s.awaitEmails(t, len(orders))
	s.stop(t)
	c.terminate(t)

	kept := j.traces(t)
	for _, o := range orders {
		switch tr := kept[o.trace]; {
		case tr == nil:
			t.Errorf("no span of the trace of an accepted order: %s", o.trace)
		case tr.orphan() != nil:
			t.Errorf("trace %s lacks the parent of %s", o.trace, tr.orphan().name)
		case tr.count(email.Name, "send email") == 0:
			t.Errorf("an order was accepted and no email sent: %s", o.trace)
		}
	}
}
