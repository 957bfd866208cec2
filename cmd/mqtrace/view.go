package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"syscall"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/mqtrace/mqtrace/internal/traceview"
	"github.com/mqtrace/mqtrace/internal/traceview/spans"
	"github.com/mqtrace/mqtrace/internal/traceview/tracefile"
)

const (
	defaultViewMiB = 128
	maxViewMiB     = 64 << 10
	// spansPerMiB assumes spans of a kilobyte, typical with few attributes.
	spansPerMiB  = 1024
	viewShutdown = 2 * time.Second
	// baseMemory is for requests and answers in progress, in bytes.
	baseMemory = 64 << 20
)

func viewCommand() *cli.Command {
	return &cli.Command{
		Name:      "view",
		Usage:     "receive traces over OTLP and show them on a web page",
		ArgsUsage: "[FILE.json...]",
		Description: `Prints the address of the page, to which programs send their traces too:

   export OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=http://127.0.0.1:4318/v1/traces

It receives traces only. If a program's metrics and logs have nowhere else to go, set
OTEL_METRICS_EXPORTER=none and OTEL_LOGS_EXPORTER=none as well.

Traces are kept in memory; the oldest are dropped when it is full. FILE.json is a file
saved by the page, or any that mqtrace trace reads; - is standard input. There is no
password: anyone who can reach the address can read the traces.

Examples:
   mqtrace view                            on port 4318 of this machine
   mqtrace view trace.json                 with the trace of a file in it
   mqtrace view -addr 127.0.0.1:0          on a free port, which is printed
   mqtrace view -allow-remote -addr :4318  for other machines too`,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "addr", Value: "127.0.0.1:4318", Usage: "listen on `HOST:PORT`"},
			&cli.BoolFlag{Name: "allow-remote", Usage: "permit an address that other machines can reach"},
			&cli.IntFlag{
				Name: "max-memory", Value: defaultViewMiB, Usage: "keep `MIB` of spans; the program takes up to about three times that, or GOMEMLIMIT",
				Validator: func(mib int) error {
					if mib < 1 || mib > maxViewMiB {
						return fmt.Errorf("-max-memory %d: must be from 1 to %d", mib, maxViewMiB)
					}
					return nil
				},
			},
		},
		Action: view,
	}
}

// view runs until ctx ends. The page's address is the first line of the output, for
// scripts to read.
func view(ctx context.Context, c *cli.Command) error {
	mib := c.Int("max-memory")
	defer limitMemory(mib)()
	store := traceview.NewStore(traceview.Limits{Bytes: mib << 20, Spans: mib * spansPerMiB})
	for _, path := range c.Args().Slice() {
		if err := openTraces(c, store, path); err != nil {
			return err
		}
	}
	var opts []traceview.ListenOption
	if c.Bool("allow-remote") {
		opts = append(opts, traceview.AllowNonLoopback())
	}
	server, err := traceview.Listen(c.String("addr"), store, opts...)
	if errors.Is(err, traceview.ErrNotLoopback) {
		return fmt.Errorf("%q is not a loopback address; -allow-remote permits it: %w", c.String("addr"), errUsage)
	}
	if errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("%w; -addr 127.0.0.1:0 picks a free port", err)
	}
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintln(c.Root().Writer, server.URL()); err != nil {
		return errors.Join(err, server.Close())
	}
	<-ctx.Done()
	stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), viewShutdown)
	defer cancel()
	_ = server.Shutdown(stopping) // Requests that have not ended by then are cut off.
	return server.Close()
}

// limitMemory makes the garbage collector work harder before the program exceeds the memory
// named in the help of -max-memory. The returned function undoes that.
func limitMemory(mib int) (undo func()) {
	if os.Getenv("GOMEMLIMIT") != "" {
		return func() {} // the user's own
	}
	before := debug.SetMemoryLimit(int64(mib)<<20*5/2 + baseMemory)
	return func() { debug.SetMemoryLimit(before) }
}

// openTraces reads a file into the store.
func openTraces(c *cli.Command, store *traceview.Store, path string) error {
	f, err := open(c, path)
	if err != nil {
		return err // It names the file.
	}
	defer f.Close()
	dropped := 0
	result, err := tracefile.Read(f, func(piece []spans.Span) error {
		dropped += store.Add(piece...).Dropped
		return nil
	})
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	warn(c, path, result.Warnings())
	if dropped > 0 {
		warnf(c, "%s: spans left out for lack of memory: %d", path, dropped)
	}
	if info, err := os.Stat(path); err == nil && result.Spans == 0 && info.Size() > int64(store.Limits().Bytes) {
		return fmt.Errorf("%s contains no spans and is larger than -max-memory", path)
	}
	if result.Spans == 0 {
		warnf(c, "%s contains no spans", path)
	}
	return nil
}
