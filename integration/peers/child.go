package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// alone does n of one contender's operations, in a process that does nothing else.
func alone(name, operation, sampling string, n int) error {
	c, err := find(name)
	if err != nil {
		return err
	}
	c.work(operation, provider(sampling, dropping{}))(n)
	return nil
}

// inProcesses adds to a cost what only a process of its own can tell.
func inProcesses(ctx context.Context, c *cost, n int) error {
	idle, _, err := usage(ctx, *c, 1)
	if err != nil {
		return err
	}
	busy, resident, err := usage(ctx, *c, n)
	if err != nil {
		return err
	}
	c.cpu, c.resident = float64(busy-idle)/float64(n), resident
	const few, many = 500, 2500
	less, err := instructions(ctx, *c, few)
	if err != nil {
		return err
	}
	more, err := instructions(ctx, *c, many)
	if err != nil {
		return err
	}
	c.instructions = (more - less) / (many - few)
	return nil
}

func child(ctx context.Context, c cost, n int, before ...string) *exec.Cmd {
	args := append(slices.Clone(before), os.Args[0], "-alone", c.name, "-operation", c.operation, "-sampling", c.sampling, "-n", strconv.Itoa(n))
	return exec.CommandContext(ctx, args[0], args[1:]...) //nolint:gosec // this program itself
}

func usage(ctx context.Context, c cost, n int) (cpu time.Duration, mebibytes float64, err error) {
	cmd := child(ctx, c, n)
	if out, err := cmd.CombinedOutput(); err != nil {
		return 0, 0, fmt.Errorf("peers: %s: %w: %s", c.name, err, out)
	}
	used, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	if !ok {
		return 0, 0, fmt.Errorf("peers: no usage of %s", c.name)
	}
	return cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(), float64(used.Maxrss) / 1024, nil
}

var collected = regexp.MustCompile(`Collected : (\d+)`)

// instructions counts with valgrind, which needs no counter of the processor's; the
// garbage collector, which runs when it likes, and signals are off. 0 without valgrind.
func instructions(ctx context.Context, c cost, n int) (float64, error) {
	valgrind, err := exec.LookPath("valgrind")
	if err != nil {
		return 0, nil //nolint:nilerr // the table says that there is none
	}
	cmd := child(ctx, c, n, valgrind, "--tool=callgrind", "--callgrind-out-file=/dev/null")
	cmd.Env = append(os.Environ(), "GOGC=off", "GOMAXPROCS=1", "GODEBUG=asyncpreemptoff=1")
	var problems bytes.Buffer
	cmd.Stderr = &problems
	if err := cmd.Run(); err != nil {
		return 0, fmt.Errorf("peers: valgrind: %w: %s", err, problems.String())
	}
	m := collected.FindStringSubmatch(problems.String())
	if m == nil {
		return 0, fmt.Errorf("peers: valgrind counted nothing: %s", problems.String())
	}
	return strconv.ParseFloat(strings.TrimSpace(m[1]), 64)
}
