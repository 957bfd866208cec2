//go:build load

package faults_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// reading is what the process holds while messages flow.
type reading struct {
	heap, resident uint64 // bytes; resident is 0 if the system does not report it
	goroutines     int
}

func (r reading) String() string {
	return fmt.Sprintf("%.1f MB live, %.1f MB resident, %d goroutines",
		float64(r.heap)/1e6, float64(r.resident)/1e6, r.goroutines)
}

// read waits for the goroutines of a recovery to end: there must be no more than at the
// first reading.
func (s *soak) read(earlier []reading) reading {
	s.t.Helper()
	deadline := time.Now().Add(forGood)
	n := runtime.NumGoroutine()
	for len(earlier) > 0 && n > earlier[0].goroutines {
		if time.Now().After(deadline) {
			s.t.Errorf("%d goroutines, and %d at first", n, earlier[0].goroutines)
			break
		}
		time.Sleep(time.Millisecond)
		n = runtime.NumGoroutine()
	}
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return reading{heap: m.HeapAlloc, resident: resident(s.t), goroutines: n}
}

func resident(t *testing.T) uint64 {
	t.Helper()
	if runtime.GOOS != "linux" {
		return 0
	}
	statm, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		t.Fatal(err)
	}
	pages, err := strconv.ParseUint(string(bytes.Fields(statm)[1]), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return pages * uint64(os.Getpagesize())
}

// holds asserts that a figure's median has not grown by both a quarter and the memory of a
// full window of messages.
func holds(t *testing.T, what string, early, late []reading, slack uint64, of func(reading) uint64) {
	t.Helper()
	before, after := median(early, of), median(late, of)
	if after > before+before/4+slack {
		t.Errorf("%s grew from %d to %d bytes", what, before, after)
	}
}

func median(readings []reading, of func(reading) uint64) uint64 {
	figures := make([]uint64, 0, len(readings))
	for _, r := range readings {
		figures = append(figures, of(r))
	}
	slices.Sort(figures)
	return figures[len(figures)/2]
}

// tally counts spans and keeps none.
type tally struct{ started, ended atomic.Int64 }

var _ sdktrace.SpanProcessor = (*tally)(nil)

func (s *tally) OnStart(context.Context, sdktrace.ReadWriteSpan) { s.started.Add(1) }
func (s *tally) OnEnd(sdktrace.ReadOnlySpan)                     { s.ended.Add(1) }
func (*tally) Shutdown(context.Context) error                    { return nil }
func (*tally) ForceFlush(context.Context) error                  { return nil }
