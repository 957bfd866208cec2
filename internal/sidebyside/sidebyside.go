// Package sidebyside measures two ways of doing the same work beside each other, for
// benchmarks whose result is a ratio.
//
// Benchmarks that run one after the other differ by whatever else the machine did in
// between, which on a shared one is more than what is to be measured. Here the two take
// turns every few hundred microseconds, and what counts is the median of the ratios of
// neighbours: whatever lasts longer than a turn is the same for both, and whatever is
// shorter is an outlier. Work that is rare, as garbage collection is, is an outlier too;
// allocations are reported for that reason.
package sidebyside

import (
	"slices"
	"testing"
	"time"
)

// turn is how long one side works at a time, at least.
const turn = 200 * time.Microsecond

// Run measures subject beside floor, each of which does the work n times. It reports
// ns/op and subject-allocs/op, floor-ns/op and floor-allocs/op, and the ratio of
// the times.
func Run(b *testing.B, floor, subject func(n int)) {
	b.Helper()
	n := 1
	for timed(floor)(n) < turn {
		n *= 2
	}
	Measure(b, n, timed(floor), timed(subject))
	b.ReportMetric(testing.AllocsPerRun(1, func() { floor(100) })/100, "floor-allocs/op")
	b.ReportMetric(testing.AllocsPerRun(1, func() { subject(100) })/100, "subject-allocs/op")
}

// Measure is Run for work that takes its own time, n operations at each turn.
func Measure(b *testing.B, n int, floor, subject func(n int) time.Duration) {
	b.Helper()
	floor(n)
	subject(n)
	var floors, subjects, ratios []float64
	for b.Loop() {
		var f, s time.Duration
		if len(ratios)%2 == 0 {
			f, s = floor(n), subject(n)
		} else {
			s, f = subject(n), floor(n)
		}
		floors = append(floors, float64(f)/float64(n))
		subjects = append(subjects, float64(s)/float64(n))
		ratios = append(ratios, float64(s)/float64(f))
	}
	b.ReportMetric(median(floors), "floor-ns/op")
	b.ReportMetric(median(subjects), "ns/op")
	b.ReportMetric(median(ratios), "ratio")
}

func timed(work func(n int)) func(n int) time.Duration {
	return func(n int) time.Duration {
		start := time.Now()
		work(n)
		return time.Since(start)
	}
}

func median(xs []float64) float64 {
	slices.Sort(xs)
	return xs[len(xs)/2]
}
