package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/otel/trace"
)

// A work performs an operation n times.
type work func(n int) error

func repeat(operation func() error) work {
	return func(n int) error {
		for range n {
			if err := operation(); err != nil {
				return err
			}
		}
		return nil
	}
}

// A contender is one way of performing an operation, with its measured cost.
type contender struct {
	name  string
	kind  kind
	start func(tp trace.TracerProvider) (work, error)

	nanoseconds, ratio float64 // medians over the turns
	bytes, allocations float64
	instructions       string
}

type kind int

const (
	baseline kind = iota // what the ratios compare with, and other contenders without a limit
	ours
	peer // for docs/peers.md only
)

// A contest is one operation that several contenders perform in turns, the baseline first.
type contest struct {
	operation, sampling string
	contenders          []contender
	limit               float64 // for our ratio
	perTurn             int     // messages through a server, 0 without one
}

func (c *contest) title() string { return strings.TrimSuffix(c.operation+", "+c.sampling, ", ") }

// of returns the contenders of the given kinds.
func (c *contest) of(kinds ...kind) []contender {
	return slices.DeleteFunc(slices.Clone(c.contenders), func(of contender) bool { return !slices.Contains(kinds, of.kind) })
}

// beyond returns an error if our ratio exceeds the limit.
func (c *contest) beyond() error {
	for _, our := range c.of(ours) {
		if our.ratio > c.limit {
			return fmt.Errorf("%s: %s is %.2f of %s, beyond %.2f", c.title(), our.name, our.ratio, c.contenders[0].name, c.limit)
		}
	}
	return nil
}

// turn is the least time that the first contender works before the next one starts. Other
// load on a shared machine lasts longer and so affects all contenders alike, or shows as an
// outlier.
const turn = 200 * time.Microsecond

// closers close what contenders have opened, last one first.
var closers []func()

// measure has the contenders take turns, in a random order each time, because it matters
// which contender ran before. Garbage collection shows as an outlier too, so allocations
// are counted separately.
func (c *contest) measure(turns int) error {
	defer func() {
		for _, f := range slices.Backward(closers) {
			f()
		}
		closers = nil
	}()
	if c.perTurn > 0 {
		turns = max(turns/50, 3)
	}
	c.contenders = slices.Clone(c.contenders)
	works, times := make([]work, len(c.contenders)), make([][]float64, len(c.contenders))
	for i, of := range c.contenders {
		var err error
		if works[i], err = of.start(provider(c.sampling)); err != nil {
			return err
		}
	}
	n, err := c.calibrate(works[0])
	if err != nil {
		return err
	}
	for j := range turns + 1 {
		for _, i := range rand.Perm(len(works)) { //nolint:gosec // need not be secure
			d, err := timed(works[i], n)
			if err != nil {
				return err
			}
			if j > 0 { // the first turn is a warm-up
				times[i] = append(times[i], float64(d)/float64(n))
			}
		}
	}
	for i := range c.contenders {
		of, ratios := &c.contenders[i], make([]float64, turns)
		for j := range ratios {
			ratios[j] = times[i][j] / times[0][j]
		}
		of.nanoseconds, of.ratio = median(times[i]), median(ratios)
		if err := of.allocate(works[i], max(n, 500)); err != nil {
			return err
		}
	}
	return nil
}

// calibrate returns how many operations of w make a turn, for all contenders.
func (c *contest) calibrate(w work) (int, error) {
	if c.perTurn > 0 {
		return c.perTurn, nil
	}
	for n := 1; ; n *= 2 {
		fastest := turn
		for range 5 {
			d, err := timed(w, n)
			if err != nil {
				return 0, err
			}
			fastest = min(fastest, d)
		}
		if fastest >= turn {
			return n, nil
		}
	}
}

func timed(w work, n int) (time.Duration, error) {
	began := time.Now()
	err := w(n)
	return time.Since(began), err
}

// allocate counts the allocations of an operation, in the whole program.
func (c *contender) allocate(w work, n int) error {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	err := w(n)
	runtime.ReadMemStats(&after)
	c.bytes = float64(after.TotalAlloc-before.TotalAlloc) / float64(n)
	c.allocations = float64(after.Mallocs-before.Mallocs) / float64(n)
	return err
}

func median(xs []float64) float64 { return slices.Sorted(slices.Values(xs))[len(xs)/2] }

var collected = regexp.MustCompile(`Collected : (\d+)`)

// count counts the instructions of an operation with callgrind, whose counts do not depend
// on other load on the machine. It subtracts two runs, which cancels out the program's
// start-up. The garbage collector, which runs at unpredictable times, signals, and an
// instruction that valgrind 3.19 does not support are turned off.
func (c *contest) count(ctx context.Context) error {
	for i, of := range c.contenders {
		if _, err := exec.LookPath("valgrind"); err != nil {
			c.contenders[i].instructions = "no valgrind"
			continue
		}
		runs, counts := [2]int{1000, 9000}, [2]int{}
		for j, n := range runs {
			cmd := exec.CommandContext(ctx, "valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", //nolint:gosec // this program itself
				os.Args[0], "-n", strconv.Itoa(n), c.operation, c.sampling, of.name)
			cmd.Env = append(os.Environ(), "GOGC=off", "GOMAXPROCS=1", "GODEBUG=asyncpreemptoff=1,cpu.rdtscp=off")
			out, err := cmd.CombinedOutput()
			m := collected.FindSubmatch(out)
			if err != nil || m == nil {
				return fmt.Errorf("valgrind: %w: %s", err, out)
			}
			counts[j], _ = strconv.Atoi(string(m[1]))
		}
		c.contenders[i].instructions = strconv.Itoa((counts[1] - counts[0]) / (runs[1] - runs[0]))
	}
	return nil
}
