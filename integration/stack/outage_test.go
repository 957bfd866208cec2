//go:build stack

package stack_test

import (
	"context"
	"math"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/mqtrace/mqtrace/examples/order-notification/email"
)

const (
	steadyRate = 60 // orders a second, which even a slow machine can do
	// phaseOrders is the least number of orders answered in a phase. How long that takes
	// depends on the machine.
	phaseOrders = 3 * steadyRate
	// maxGrowth, in MiB, is several times what a full queue of spans takes.
	maxGrowth = 100
)

// hangForever is an export timeout longer than the test: an order that waits for an export
// is not answered in the time that customers have, however fast the machine is.
var hangForever = []string{"OTEL_EXPORTER_OTLP_TIMEOUT=3600000", "OTEL_BSP_EXPORT_TIMEOUT=3600000"}

// watched is a load whose orders are counted phase by phase, while the services' memory
// is looked at.
type watched struct {
	*testing.T

	customers *customers
	services  *services
}

// during is what was measured in a phase.
type during struct {
	rate    float64 // orders a second that were answered as they should
	slowest time.Duration
	memory  map[string]float64 // the most each service used, in MiB
}

// phase ends when its orders are answered and its condition holds.
func (w *watched) phase(name string, until func() bool) during {
	w.Helper()
	before, began := len(w.customers.answered()), time.Now()
	d := during{memory: make(map[string]float64)}
	var answered []order
	eventually(w.T, name+" is over", func() bool {
		for _, p := range w.services.all() {
			d.memory[p.name] = max(d.memory[p.name], math.Round(p.memory(w.T)))
		}
		answered = w.customers.answered()[before:]
		return len(answered) >= phaseOrders && until()
	})
	d.rate = float64(len(answered)) / time.Since(began).Seconds()
	for _, o := range answered {
		d.slowest = max(d.slowest, o.took)
	}
	w.Logf("%s: %.1f orders a second, the slowest in %v; memory in MiB %v", name, d.rate,
		d.slowest.Round(time.Millisecond), d.memory)
	return d
}

// always is the condition of a phase without one.
func always() bool { return true }

// compare compares a phase with one in which all was well. The rate is for docs/growing.md
// and not compared: it depends on the machine as much as on the services.
func (w *watched) compare(name string, well, d during) {
	w.Helper()
	w.Logf("%s: %.2f of the rate before", name, d.rate/well.rate)
	for service, mib := range d.memory {
		if mib > well.memory[service]+maxGrowth {
			w.Errorf("%s: %s uses %.0f MiB, %.0f before", name, service, mib, well.memory[service])
		}
	}
}

// The Collector is killed, started again, and stopped from answering. Orders go on, none
// waits for it, and every span is either accepted by the Collector or counted as lost.
func TestCollectorAway(t *testing.T) {
	j := startJaeger(t)
	c := startCollector(t, j.otlp, "SAMPLING_DECISION_WAIT=2s")
	books := startAccountant(t)
	s := startServices(t, servers(t), c.url, slices.Concat(observing, hangForever, []string{
		"OTEL_LOGS_EXPORTER=none",
		"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT=" + books.URL,
		// Small enough to overflow.
		"OTEL_BSP_MAX_QUEUE_SIZE=1024",
	})...)
	w := &watched{T: t, customers: newCustomers(t, s.url), services: s}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		w.customers.send(ctx, steadyRate, func(i int) (kind, bool) { return everyTenthDeclined(i), true })
	}()
	w.phase("warming up", always)
	well := w.phase("all is well", func() bool { return books.sum().exported > 0 })

	c.kill(t)
	w.compare("killed", well, w.phase("killed", func() bool { return books.sum().failed > 0 }))
	c.restart(t)
	before := books.sum().exported
	w.compare("restarted", well, w.phase("restarted", func() bool { return books.sum().exported > before }))
	c.signal(t, syscall.SIGSTOP)
	w.compare("silent", well, w.phase("silent", func() bool { return books.sum().overflow > 0 }))
	w.compare("silent for longer", well, w.phase("silent for longer", always))
	before = books.sum().exported
	c.signal(t, syscall.SIGCONT)
	w.compare("answering again", well, w.phase("answering again", func() bool { return books.sum().exported > before }))
	stop()
	<-done
	w.checkBooks(books)

	// As if nothing had happened. One after the other, so that no queue overflows however
	// slow the machine is.
	last, started := len(w.customers.answered()), books.sum().started
	for i := range steadyRate {
		w.customers.place(everyTenthDeclined(i))
	}
	eventually(t, "the new spans have left", func() bool { return books.sum().started > started+2*steadyRate && books.settled() })
	w.checkTracesSince(last, c, j)
	if placed, answered := w.customers.placed(), w.customers.answered(); placed != len(answered) {
		t.Errorf("%d of %d orders were answered as they should", len(answered), placed)
	}
}

func everyTenthDeclined(i int) kind {
	if i%10 == 0 {
		return declined
	}
	return good
}

// checkBooks waits until every span is accounted for.
func (w *watched) checkBooks(books *accountant) {
	w.Helper()
	eventually(w.T, "each of three processes has accounted for its spans", books.settled)
	for process, a := range books.books() {
		w.Logf("%s: %v", process, a)
	}
	all := books.sum()
	if all.failed == 0 || all.overflow == 0 {
		w.Errorf("%d spans were lost with their export and %d to a full queue: the Collector was not away",
			all.failed, all.overflow)
	}
	if spans := int64(len(w.customers.answered())) * 4; all.started < spans {
		w.Errorf("%d spans were started for %d orders", all.started, len(w.customers.answered()))
	}
}

// checkTracesSince checks that the services and the Collector work again.
func (w *watched) checkTracesSince(first int, c *collector, j *jaeger) {
	w.Helper()
	w.services.stop(w.T)
	c.terminate(w.T)
	kept := j.traces(w.T)
	failed := 0
	for _, o := range w.customers.answered()[first:] {
		if o.name == declined.name {
			failed++
			if kept[o.trace] == nil {
				w.Errorf("the trace of an order that failed after the Collector was back is missing: %s", o.trace)
			}
		}
	}
	if failed == 0 {
		w.Errorf("no order failed, so no trace with spans of %s could be checked", email.Name)
	}
}
