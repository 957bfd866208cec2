//go:build stack

package stack_test

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"go.opentelemetry.io/otel/codes"

	"github.com/mqtrace/mqtrace/examples/order-notification/email"
	"github.com/mqtrace/mqtrace/examples/order-notification/notification"
	orderservice "github.com/mqtrace/mqtrace/examples/order-notification/order"
)

// ordersPerSecond is the highest rate of orders, and atOnce and backlog keep them from
// coming faster than the machine works: their traces would then be as long as the queues,
// and kept because of that.
const (
	ordersPerSecond = 150
	atOnce          = 16
	backlog         = 10
)

// mix is 2,000 orders. The flaky ones come first, because their second attempts take
// longest.
func mix() []kind {
	var kinds, rest []kind
	for _, part := range []struct {
		kind kind
		many int
	}{{good, 1480}, {soldOut, 150}, {declined, 100}, {delayed, 100}, {unavailable, 50}, {panics, 20}} {
		rest = append(rest, slices.Repeat([]kind{part.kind}, part.many)...)
	}
	kinds = slices.Repeat([]kind{flaky}, 100)
	for i := range rest {
		kinds = append(kinds, rest[i*617%len(rest)]) // coprime, so each comes once
	}
	return kinds
}

// flow is one run of the whole stack.
type flow struct {
	*testing.T

	jaeger     *jaeger
	collector  *collector
	recorder   *recorder
	services   *services
	neighbours *neighbours
	orders     []order
	kept       map[string]*trace // from Jaeger
}

func TestSampling(t *testing.T) {
	f := &flow{T: t, jaeger: startJaeger(t)}
	f.collector = startCollector(t, f.jaeger.otlp, fmt.Sprintf("SAMPLING_QUEUE_TIME_S=%.1f", queueBound))
	f.recorder = startRecorder(t, f.collector)
	f.services = startServices(t, servers(t), f.recorder.URL)
	f.neighbours = newNeighbours(t, f.services, f.recorder.URL)

	healthy := f.neighbours.root("ends well, for the time being", time.Millisecond, codes.Unset)
	f.neighbours.makeNoise(100)
	f.neighbours.sendPoison(30)
	f.neighbours.letExpire(20)

	kinds := mix()
	customers := newCustomers(t, f.services.url)
	customers.atOnce = atOnce
	inspector := asynq.NewInspector(f.services.Redis)
	defer inspector.Close()
	began := time.Now()
	customers.send(context.Background(), ordersPerSecond, func(i int) (kind, bool) {
		if i >= len(kinds) {
			return kind{}, false
		}
		if i%5 == 0 {
			f.keepUp(inspector)
		}
		return kinds[i], true
	})
	f.neighbours.letWait(10)
	f.orders = customers.answered()
	t.Logf("%d orders in %v", len(f.orders), time.Since(began).Round(time.Millisecond))
	if len(f.orders) != len(kinds) {
		t.Fatalf("%d of %d orders were answered as they should", len(f.orders), len(kinds))
	}
	f.neighbours.failLate(healthy)
	f.awaitEmails()
	f.services.stop(t)
	f.neighbours.leave()
	t.Logf("kept by policy: %s", f.collector.decisions(t, "errors", "slow", "waited-in-queue", "dead-lettered", "given-up", "rest"))
	// It decides about its traces and exports them before it ends.
	f.collector.terminate(t)
	f.kept = f.jaeger.traces(t)

	t.Run("what was sent is what was meant", f.checkTruth)
	t.Run("what was kept", f.checkKept)
	t.Run("from HTTP to email", f.checkPaths)
	t.Run("late error", f.checkLate)
	f.logSizes()
}

// keepUp waits until the workers have caught up.
func (f *flow) keepUp(inspector *asynq.Inspector) {
	eventually(f.T, "the workers keep up", func() bool {
		events, err := f.neighbours.channel.QueueDeclarePassive(f.services.Topology().Queue, true, false, false, false, nil)
		if err != nil {
			f.Fatal(err)
		}
		queues, err := inspector.Queues()
		if err != nil {
			f.Fatal(err)
		}
		if !slices.Contains(queues, f.services.EmailQueue()) { // no email so far
			return events.Messages < backlog
		}
		emails, err := inspector.GetQueueInfo(f.services.EmailQueue())
		if err != nil {
			f.Fatal(err)
		}
		return events.Messages+emails.Pending < backlog
	})
}

// awaitEmails waits until every order has been finished.
func (f *flow) awaitEmails() {
	for _, o := range f.orders {
		eventually(f.T, "the trace of a "+o.name+" order is complete: "+o.trace, func() bool {
			tr := f.recorder.trace(o.trace)
			return tr != nil && tr.orphan() == nil &&
				tr.count(orderservice.Name, "POST /orders") == 1 &&
				tr.count(email.Name, "send email") == o.emails
		})
	}
	bury := "process " + f.services.Topology().DeadLetterQueue
	for _, id := range slices.Concat(f.neighbours.poison, f.neighbours.expired) {
		eventually(f.T, "the message was dead-lettered: "+id, func() bool {
			tr := f.recorder.trace(id)
			return tr != nil && tr.orphan() == nil && tr.count(notification.Name, bury) == 1
		})
	}
}

// checkTruth makes sure that the other checks are not vacuous.
func (f *flow) checkTruth(t *testing.T) {
	expect := func(what, reason string, ids ...string) {
		t.Helper()
		for _, id := range ids {
			if tr := f.recorder.trace(id); tr == nil || tr.reason() != reason {
				t.Errorf("%s: trace %s is to be kept for %q, want %q", what, id, tr.reason(), reason)
			}
		}
	}
	for _, o := range f.orders {
		if o.reason != "" {
			expect(o.name, o.reason, o.trace)
		}
		tr := f.recorder.trace(o.trace)
		if late := tr.latest.Sub(tr.first); o.emails == 2 && late < decisionWait {
			t.Errorf("the second attempt came %v after the request, before the decision on the trace", late)
		}
	}
	expect("poison", "error", f.neighbours.poison...)
	expect("expired", "dead-lettered", f.neighbours.expired...)
	expect("noise", "", f.neighbours.noise...)
	waited := 0
	for _, id := range f.recorder.ids() {
		tr := f.recorder.trace(id)
		if tr.count("neighbours", "process "+f.services.Prefix+"waiting") == 0 {
			continue
		}
		waited++
		if reason := tr.reason(); reason != "waited" || len(tr.spans) != 1 || !slices.ContainsFunc(f.neighbours.waitingSince,
			func(from spanContext) bool { return slices.Contains(tr.spans[0].linked, from.TraceID().String()) }) {
			t.Errorf("a message that waited did not start a trace linked to its sender's: %s", id)
		}
	}
	if want := len(f.neighbours.waitingSince); waited != want {
		t.Errorf("%d messages waited, want %d", waited, want)
	}
}

// checkKept compares what Jaeger has with what was sent.
func (f *flow) checkKept(t *testing.T) {
	noise := make(map[string]bool)
	for _, id := range f.neighbours.noise {
		noise[id] = true
	}
	rest, chosen, had := 0, 0, make(map[string]int)
	for _, id := range f.recorder.ids() {
		tr, got := f.recorder.trace(id), 0
		if f.kept[id] != nil {
			got = len(f.kept[id].spans)
		}
		reason := tr.reason()
		switch {
		case slices.Contains(f.neighbours.late, id):
		case got != 0 && got != len(tr.spans):
			t.Errorf("of trace %s, %d spans of %d were kept (%q)", id, got, len(tr.spans), reason)
		case noise[id] && got != 0:
			t.Errorf("noise was kept: %s", id)
		case noise[id]:
			had["noise, dropped"]++
		case reason != "" && got == 0:
			t.Errorf("a trace was not kept in spite of %q: %s", reason, id)
		case reason != "":
			had[reason]++
		default:
			rest++
			chosen += min(1, got)
		}
	}
	for id := range f.kept {
		if f.recorder.trace(id) == nil {
			t.Errorf("Jaeger has a trace that nobody sent: %s", id)
		}
	}
	low, high := within(rest, percentage/100)
	t.Logf("%v; of %d others %d were kept; %d to %d are expected in all but one of %.0f runs",
		had, rest, chosen, low, high, 1/(2*falseAlarm))
	if chosen < low || chosen > high {
		t.Errorf("of %d traces without a reason %d were kept, want %d to %d", rest, chosen, low, high)
	}
	if rest < 1000 {
		t.Errorf("only %d traces are without a reason to be kept", rest)
	}
}

// checkPaths follows each kept order from its email back to the request.
func (f *flow) checkPaths(t *testing.T) {
	topology, queue := f.services.Topology(), f.services.EmailQueue()
	want := []string{
		email.Name + ": send email",
		email.Name + ": process " + queue,
		notification.Name + ": enqueue " + queue,
		notification.Name + ": process " + topology.Queue,
		orderservice.Name + ": publish " + topology.Exchange,
		orderservice.Name + ": place order",
		orderservice.Name + ": POST /orders",
	}
	checked := 0
	for _, o := range f.orders {
		got := f.kept[o.trace]
		if o.emails == 0 || got == nil {
			continue
		}
		for _, s := range got.spans {
			if s.service != email.Name || s.name != "send email" {
				continue
			}
			checked++
			if path := got.path(s); !slices.Equal(path, want) {
				t.Errorf("a kept %s order goes\n%q, want\n%q", o.name, path, want)
			}
		}
	}
	if checked < 200 {
		t.Errorf("only %d emails were looked at", checked)
	}
}

// checkLate checks traces that were decided, by chance alone, before they failed.
func (f *flow) checkLate(t *testing.T) {
	for _, id := range f.neighbours.late {
		tr := f.recorder.trace(id)
		got := cmp.Or(f.kept[id], &trace{})
		for _, s := range tr.spans {
			if s.failed && got.span(s.id) == nil {
				t.Errorf("trace %s was decided on and failed later: the failure was not kept", id)
			}
		}
		if late := tr.latest.Sub(tr.first); late < decisionWait {
			t.Errorf("it failed after %v, before the decision", late)
		}
	}
}

func (f *flow) logSizes() {
	r := f.recorder
	f.Logf("OTLP: %d spans of %d traces in %d requests: %.0f bytes a span, %.0f with gzip",
		r.spans, len(r.traces), r.requests, float64(r.bytes)/float64(r.spans), float64(r.zipped)/float64(r.spans))
}
