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
	steadyRate = 60 // orders a second, of which a slow machine is capable too
	phase      = 3 * time.Second
	// minRate is a share of the rate before; the rest is for other work on the machine.
	minRate = 0.8
	// maxGrowth, in MiB, is several times what a full queue of spans takes.
	maxGrowth = 100
)

// watched is a load whose orders are counted phase by phase, while the services' memory
// is looked at.
type watched struct {
	*testing.T

	customers *customers
	services  *services
}

// during is what a phase was like.
type during struct {
	rate    float64 // orders a second that were answered as they should
	slowest time.Duration
	memory  map[string]float64 // the most that a service had, in MiB
}

func (w *watched) phase(name string) during {
	w.Helper()
	before, began := len(w.customers.answered()), time.Now()
	d := during{memory: make(map[string]float64)}
	for time.Since(began) < phase {
		for _, p := range w.services.all() {
			d.memory[p.name] = max(d.memory[p.name], math.Round(p.memory(w.T)))
		}
		time.Sleep(100 * time.Millisecond)
	}
	answered := w.customers.answered()[before:]
	d.rate = float64(len(answered)) / time.Since(began).Seconds()
	for _, o := range answered {
		d.slowest = max(d.slowest, o.took)
	}
	w.Logf("%s: %.1f orders a second, the slowest in %v; memory in MiB %v", name, d.rate,
		d.slowest.Round(time.Millisecond), d.memory)
	return d
}

// compare holds a phase against one in which all was well.
func (w *watched) compare(name string, well, d during) {
	w.Helper()
	w.Logf("%s: %.2f of the rate before", name, d.rate/well.rate)
	if d.rate < minRate*well.rate {
		w.Errorf("%s: %.1f orders a second, before it were %.1f", name, d.rate, well.rate)
	}
	for service, mib := range d.memory {
		if mib > well.memory[service]+maxGrowth {
			w.Errorf("%s: %s has %.0f MiB, before it were %.0f", name, service, mib, well.memory[service])
		}
	}
}

// The Collector is killed, started again, and stopped from answering. Orders go on, and
// every span is either taken by the Collector or counted as lost.
//
// It compares rates, and so runs while no other test does.
func TestCollectorAway(t *testing.T) {
	j := startJaeger(t)
	c := startCollector(t, j.otlp, "SAMPLING_DECISION_WAIT=2s")
	books := startAccountant(t)
	s := startServices(t, servers(t), c.url, slices.Concat(observing, []string{
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
		w.customers.send(ctx, steadyRate, func(i int) (kind, bool) {
			if i%10 == 0 {
				return declined, true
			}
			return good, true
		})
	}()
	w.phase("warming up")
	well := w.phase("all is well")

	c.kill(t)
	w.compare("killed", well, w.phase("killed"))
	c.restart(t)
	w.compare("restarted", well, w.phase("restarted"))
	c.signal(t, syscall.SIGSTOP)
	w.compare("silent", well, w.phase("silent"))
	w.compare("silent for longer", well, w.phase("silent for longer"))
	c.signal(t, syscall.SIGCONT)
	w.compare("answering again", well, w.phase("answering again"))
	last := len(w.customers.answered())
	w.phase("as if nothing had happened")
	stop()
	<-done
	if placed, answered := w.customers.placed(), w.customers.answered(); placed != len(answered) {
		t.Errorf("%d of %d orders were answered as they should", len(answered), placed)
	}
	w.checkBooks(books)
	w.checkTracesSince(last, c, j)
}

// checkBooks waits until every span is accounted for.
func (w *watched) checkBooks(books *accountant) {
	w.Helper()
	eventually(w.T, "each of three processes has accounted for its spans", func() bool {
		processes := 0
		for _, a := range books.books() {
			if a.settled() {
				processes++
			}
		}
		return processes == 3
	})
	var all account
	for process, a := range books.books() {
		w.Logf("%s: %v", process, a)
		all.started += a.started
		all.failed += a.failed
		all.overflow += a.overflow
	}
	if all.failed == 0 || all.overflow == 0 {
		w.Errorf("%d spans were lost with their export and %d to a full queue: the Collector was not away",
			all.failed, all.overflow)
	}
	if spans := int64(len(w.customers.answered())) * 4; all.started < spans {
		w.Errorf("%d spans were started for %d orders", all.started, len(w.customers.answered()))
	}
}

// checkTracesSince sees to it that the services and the Collector are back at work.
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
		w.Errorf("no order failed, and there is nothing of %s to look at", email.Name)
	}
}
