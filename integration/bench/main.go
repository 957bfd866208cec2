// Bench measures contenders that perform the same operation in turns, and prints ratios:
// amqptrace and asynqtrace compared with the same spans written by hand, with
// instrumentations of other brokers' clients and, if servers are named, with the same work
// without traces. It fails if a ratio exceeds its limit.
//
//	make bench
//	make peers
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
)

func main() {
	turns := flag.Int("turns", 1000, "turns of each contender; a fiftieth of them where messages go through a server")
	count := flag.Bool("instructions", false, "count instructions too, which takes a few minutes")
	dir := flag.String("peers", "", "measure what peers do too, and write peers.md and peers.svg to this `directory`")
	n := flag.Int("n", 1, "with operation, sampling and contender as arguments: do that this many times and nothing else")
	flag.Parse()
	var err error
	if flag.NArg() == 3 {
		err = alone(flag.Arg(0), flag.Arg(1), flag.Arg(2), *n)
	} else {
		err = run(context.Background(), *turns, *count, *dir)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, turns int, count bool, dir string) error {
	var all []contest
	var errs []error
	todo := onNothing()
	if dir == "" {
		todo = append(todo, endToEnd()...)
	}
	for _, c := range todo {
		if dir == "" {
			c.contenders = c.of(baseline, ours)
		} else if len(c.of(peer)) == 0 {
			continue
		}
		fmt.Fprintln(os.Stderr, "measuring", c.title())
		// A ratio that exceeds its limit three times is not caused by other load on the
		// machine.
		for try := 0; try == 0 || try < 3 && c.beyond() != nil; try++ {
			if err := c.measure(turns); err != nil {
				return fmt.Errorf("%s: %w", c.title(), err)
			}
		}
		if count && c.perTurn == 0 {
			if err := c.count(ctx); err != nil {
				return err
			}
		}
		all, errs = append(all, c), append(errs, c.beyond())
	}
	if dir == "" {
		fmt.Print(table(all))
		return errors.Join(errs...)
	}
	text, err := page(all)
	if err != nil {
		return err
	}
	return errors.Join(append(errs,
		os.WriteFile(filepath.Join(dir, "peers.md"), []byte(text), 0o644),       //nolint:gosec // a page of documentation
		os.WriteFile(filepath.Join(dir, "peers.svg"), []byte(plot(all)), 0o644), //nolint:gosec // likewise
	)...)
}

// alone performs one contender's operation n times, in a process that does nothing else.
func alone(operation, sampling, name string, n int) error {
	for _, c := range operations {
		for _, of := range c.contenders {
			if c.operation == operation && of.name == name {
				w, err := of.start(provider(sampling))
				if err != nil {
					return err
				}
				return w(n)
			}
		}
	}
	return fmt.Errorf("there is no %s %s", operation, name)
}
