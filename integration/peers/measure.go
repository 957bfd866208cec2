package main

import (
	"runtime"
	"slices"
	"time"
)

// cost is what one operation costs.
type cost struct {
	nanoseconds, ratio  float64 // ratio is that to the contender it is held beside
	bytes, allocations  float64
	cpu                 float64 // nanoseconds, collector and all, in a process of its own
	resident            float64 // MiB at most, of that process
	instructions        float64 // without garbage collection, 0 where there is no counter
	operation, sampling string
	name                string
}

// turn is how long one contender works before the next, at least.
const turn = 200 * time.Microsecond

// measure has all contenders take turns at one operation, so that what else the machine
// does is the same for all, and reports medians.
func measure(operation, sampling string, turns int) []cost {
	works := make([]func(int), len(contenders))
	ns := make([]int, len(contenders))
	for i, c := range contenders {
		works[i], ns[i] = c.work(operation, provider(sampling, dropping{})), 1
		for timed(works[i], ns[i]) < turn {
			ns[i] *= 2
		}
	}
	times, ratios := make([][]float64, len(works)), make([][]float64, len(works))
	for n := range turns {
		for i, work := range works {
			times[i] = append(times[i], float64(timed(work, ns[i]))/float64(ns[i]))
		}
		for i, c := range contenders {
			base := slices.IndexFunc(contenders, func(b contender) bool { return b.name == c.beside })
			ratios[i] = append(ratios[i], times[i][n]/times[base][n])
		}
	}
	costs := make([]cost, len(works))
	for i, work := range works {
		costs[i] = cost{
			name: contenders[i].name, operation: operation, sampling: sampling,
			nanoseconds: quantile(times[i], 0.5), ratio: quantile(ratios[i], 0.5),
		}
		costs[i].bytes, costs[i].allocations = allocated(work)
	}
	return costs
}

func timed(work func(int), n int) time.Duration {
	began := time.Now()
	work(n)
	return time.Since(began)
}

func allocated(work func(int)) (bytes, allocations float64) {
	const n = 10000
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	work(n)
	runtime.ReadMemStats(&after)
	return float64(after.TotalAlloc-before.TotalAlloc) / n, float64(after.Mallocs-before.Mallocs) / n
}

func quantile(xs []float64, q float64) float64 {
	if len(xs) == 0 {
		return 0
	}
	slices.Sort(xs)
	return xs[min(int(q*float64(len(xs))), len(xs)-1)]
}
