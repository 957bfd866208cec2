// Peers measures the same work in one run: amqp091-go by itself, with amqptrace, spans
// written by hand, and instrumentations of other brokers' clients. It writes peers.md
// and peers.svg.
//
//	make peers
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

type config struct {
	out, amqp, redis string
	turns, n         int
	rounds           int
	single           string
	operation        string
	sampling         string
}

func main() {
	var c config
	flag.StringVar(&c.out, "o", "", "directory of peers.md and peers.svg; nowhere, and the tables are printed")
	flag.StringVar(&c.amqp, "amqp", os.Getenv("MQTRACE_AMQP_URL"), "RabbitMQ for the measurement end to end; none where empty")
	flag.StringVar(&c.redis, "redis", os.Getenv("MQTRACE_REDIS_ADDR"), "Redis, host:port or a redis:// URL, for the measurement end to end; none where empty")
	flag.IntVar(&c.turns, "turns", 1000, "turns of each contender at each operation")
	flag.IntVar(&c.n, "n", 300000, "operations of a contender in a process of its own")
	flag.IntVar(&c.rounds, "rounds", 10, "turns of raw and traced on each server")
	flag.StringVar(&c.single, "alone", "", "do the work of this contender and nothing else")
	flag.StringVar(&c.operation, "operation", publishing, "with -alone: publish or process")
	flag.StringVar(&c.sampling, "sampling", "sampled", "with -alone: sampled, unsampled or noop")
	flag.Parse()
	if err := run(context.Background(), c); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, c config) error {
	if c.single != "" {
		return alone(c.single, c.operation, c.sampling, c.n)
	}
	costs, err := all(ctx, c)
	if err != nil {
		return err
	}
	flows, err := endToEnd(ctx, c)
	if err != nil {
		return err
	}
	text, err := report(costs, flows, time.Now())
	if err != nil {
		return err
	}
	if c.out == "" {
		fmt.Print(text)
		return nil
	}
	if err := os.WriteFile(filepath.Join(c.out, "peers.md"), []byte(text), 0o644); err != nil { //nolint:gosec // a page of documentation
		return err
	}
	return os.WriteFile(filepath.Join(c.out, "peers.svg"), []byte(plot(costs)), 0o644) //nolint:gosec // likewise
}

func all(ctx context.Context, c config) ([]cost, error) {
	var costs []cost
	for _, operation := range operations {
		for _, sampling := range samplings {
			fmt.Fprintln(os.Stderr, "measuring", operation, sampling)
			costs = append(costs, measure(operation, sampling, c.turns)...)
		}
	}
	for i := range costs {
		fmt.Fprintln(os.Stderr, "alone:", costs[i].name, costs[i].operation, costs[i].sampling)
		if err := inProcesses(ctx, &costs[i], c.n); err != nil {
			return nil, err
		}
	}
	return costs, nil
}
