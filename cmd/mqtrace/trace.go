package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"regexp"
	"strings"
	"syscall"
	"time"

	"github.com/urfave/cli/v3"
	"go.opentelemetry.io/otel/trace"

	"github.com/mqtrace/mqtrace/cmd/mqtrace/internal/tracesource"
	"github.com/mqtrace/mqtrace/internal/traceview/otlp"
	"github.com/mqtrace/mqtrace/internal/traceview/spans"
	"github.com/mqtrace/mqtrace/internal/traceview/terminal"
	"github.com/mqtrace/mqtrace/internal/traceview/tracefile"
	"github.com/mqtrace/mqtrace/internal/traceview/tree"
)

func traceCommand() *cli.Command {
	return &cli.Command{
		Name:      "trace",
		Usage:     "draw a trace as a tree",
		ArgsUsage: "FILE|URL|ID",
		Description: `Draws the spans of a trace as a tree, with the time that messages waited in queues.
FILE contains traces as OTLP JSON, in one document or several, or as exported by
Jaeger's UI or Tempo; - is standard input. URL is a running mqtrace view, a trace's page
there or in Jaeger's UI, or Jaeger's or Tempo's query API. ID is a trace in the view at
-view, where its first 8 digits are enough, or in the Tempo at -tempo.

Examples:
   mqtrace trace 4bf92f3577b34da6a3ce929d0e0e4736
   mqtrace trace http://localhost:16686/trace/4bf92f3577b34da6a3ce929d0e0e4736
   mqtrace trace -tempo http://localhost:3200 4bf92f3577b34da6a3ce929d0e0e4736
   mqtrace trace traces.json -id 4bf92f3577b34da6a3ce929d0e0e4736
   mqtrace trace http://127.0.0.1:4318 -n 3 -o json > traces.json`,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "id", Usage: "draw the trace with this `ID` only"},
			&cli.StringFlag{Name: "view", Value: "http://127.0.0.1:4318", Usage: "ask the mqtrace view, or the Jaeger, at `URL` for an ID"},
			&cli.StringFlag{Name: "tempo", Usage: "ask the Tempo at `URL` for an ID"},
			&cli.IntFlag{Name: "n", Value: defaultTraces, Usage: "draw at most `N` traces", Validator: positive},
			&cli.StringSliceFlag{Name: "attribute", Usage: "show the attribute `KEY` under each span that has it"},
			outputFlag(),
		},
		Action: showTraces,
	}
}

const (
	defaultTraces = 20
	traceTimeout  = 30 * time.Second
)

func showTraces(ctx context.Context, c *cli.Command) error {
	source, err := onlyArgument(c, "FILE, URL or ID")
	if err != nil {
		return err
	}
	var id trace.TraceID
	if c.IsSet("id") {
		if id, err = tracefile.ParseID(c.String("id")); err != nil {
			return fmt.Errorf("-id: %w, %w", err, errUsage)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, traceTimeout)
	defer cancel()
	traces, found, remote, err := readTraces(ctx, c, source, id)
	switch {
	case errors.Is(err, context.Canceled):
		return errInterrupted
	case err != nil:
		return err
	}
	elsewhere := whereElse(ctx, remote, traces)
	if id.IsValid() {
		one, ok := tracefile.Select(traces, id)
		if !ok {
			return fmt.Errorf("%s has no trace %s", sourceName(source), id)
		}
		traces, found = []spans.Trace{one}, 1
	}
	if len(traces) == 0 {
		return fmt.Errorf("%s has no traces", sourceName(source))
	}
	traces = traces[:min(len(traces), c.Int("n"))]
	if found > len(traces) {
		warnf(c, "%d of %d traces shown, the limit is %d (-n)", len(traces), found, c.Int("n"))
	}
	return writeTraces(c, traces, elsewhere)
}

// whereElse returns what other traces show about the messages of a trace: all of a view's,
// else the ones that were read.
func whereElse(ctx context.Context, remote *tracesource.Remote, traces []spans.Trace) func(trace.TraceID) tree.Elsewhere {
	known := tree.ElsewhereIn(traces)
	return func(id trace.TraceID) tree.Elsewhere {
		other := known(id)
		if remote != nil {
			other.Waits = remote.Waiting(ctx, id)
		}
		return other
	}
}

// readTraces also returns how many traces there are, and the server that has them, if any.
func readTraces(
	ctx context.Context, c *cli.Command, source string, id trace.TraceID,
) (traces []spans.Trace, found int, remote *tracesource.Remote, err error) {
	asked, notID := tracefile.ParseID(source)
	switch {
	case isURL(source):
		return fetchTraces(ctx, c, source, id)
	case notID == nil && c.IsSet("tempo"):
		if remote, err = tracesource.NewTempo(c.String("tempo")); err != nil {
			return nil, 0, nil, fmt.Errorf("-tempo: %w, %w", err, errUsage)
		}
		traces, found, err = fetchTrace(ctx, c, remote, asked)
		return traces, found, nil, err
	case c.IsSet("tempo"):
		return nil, 0, nil, fmt.Errorf("-tempo: %w, %w", notID, errUsage)
	case notID == nil && len(source) == len(asked)*2 && !exists(source): // A download may be named after its trace.
		traces, found, remote, err = fetchTraces(ctx, c, c.String("view"), asked)
		if errors.Is(err, syscall.ECONNREFUSED) {
			err = fmt.Errorf("%w; use -view to name the mqtrace view or Jaeger that has the trace", err)
		}
		return traces, found, remote, err
	case shortID.MatchString(source) && !exists(source):
		if remote, err = tracesource.NewRemote(c.String("view")); err != nil {
			return nil, 0, nil, fmt.Errorf("-view: %w, %w", err, errUsage)
		}
		traces, err = remote.Prefixed(ctx, source)
		if errors.Is(err, tracesource.ErrNotFound) {
			err = fmt.Errorf("%s has no trace whose id begins with %s, or more than one, and there is no such file", remote, source)
		}
		if errors.Is(err, syscall.ECONNREFUSED) {
			err = fmt.Errorf("%w; use -view to name the mqtrace view that has the trace", err)
		}
		return traces, len(traces), remote, err
	default:
		traces, err = readFile(c, source)
		if errors.Is(err, fs.ErrNotExist) && hexDigits.MatchString(source) {
			err = fmt.Errorf("%w; a trace id has 32 digits, of which the first 8 to 16 are enough for a view", err)
		}
		return traces, len(traces), nil, err
	}
}

// shortID is the beginning of an id, as lists show it.
var shortID = regexp.MustCompile(`^[0-9A-Fa-f]{8,16}$`)

// hexDigits is what was probably meant as an id.
var hexDigits = regexp.MustCompile(`^[0-9A-Fa-f]+$`)

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func isURL(source string) bool {
	return strings.HasPrefix(source, "http://") || strings.HasPrefix(source, "https://")
}

// sourceName is a source's name in errors, without the password that it may contain.
func sourceName(source string) string {
	if !isURL(source) {
		return fmt.Sprintf("%q", source)
	}
	remote, err := tracesource.NewRemote(source)
	if err != nil {
		return "the URL"
	}
	return remote.String()
}

func fetchTraces(
	ctx context.Context, c *cli.Command, address string, id trace.TraceID,
) (traces []spans.Trace, found int, remote *tracesource.Remote, err error) {
	if remote, err = tracesource.NewRemote(address); err != nil {
		return nil, 0, nil, fmt.Errorf("%w, %w", err, errUsage)
	}
	if !id.IsValid() {
		id = remote.ID()
	}
	if !id.IsValid() || remote.IsAnswer() {
		traces, found, err = remote.All(ctx, c.Int("n"))
		warn(c, remote.String(), remote.Warnings())
		return traces, found, remote, err
	}
	traces, found, err = fetchTrace(ctx, c, remote, id)
	return traces, found, remote, err
}

func fetchTrace(
	ctx context.Context, c *cli.Command, remote *tracesource.Remote, id trace.TraceID,
) (traces []spans.Trace, found int, err error) {
	traces, err = remote.Trace(ctx, id)
	warn(c, remote.String(), remote.Warnings())
	if errors.Is(err, tracesource.ErrNotFound) {
		return nil, 0, fmt.Errorf("%s has no trace %s", remote, id)
	}
	return traces, len(traces), err
}

func readFile(c *cli.Command, name string) ([]spans.Trace, error) {
	in, err := open(c, name)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	traces, result, err := tracefile.Traces(in)
	if err != nil {
		return nil, fmt.Errorf("read %q: %w", name, err)
	}
	warn(c, fmt.Sprintf("%q", name), result.Warnings())
	return traces, nil
}

// warn reports what was left out of a source.
func warn(c *cli.Command, source string, warnings []string) {
	for _, text := range warnings {
		warnf(c, "%s: %s", source, text)
	}
}

func writeTraces(c *cli.Command, traces []spans.Trace, elsewhere func(trace.TraceID) tree.Elsewhere) error {
	if isJSON(c) {
		var spans []spans.Span
		for _, tr := range traces {
			spans = append(spans, tr.Spans...)
			if tr.Dropped > 0 { // OTLP cannot express this.
				warnf(c, "trace %s: %d spans are missing: the view had no room for them", tr.ID, tr.Dropped)
			}
		}
		return otlp.EncodeJSON(jsonOut(c), spans)
	}
	opts := treeOptions(c)
	opts.Attributes = c.StringSlice("attribute")
	for i, tr := range traces {
		if i > 0 {
			fmt.Fprintln(c.Root().Writer)
		}
		opts.Elsewhere = elsewhere(tr.ID)
		if err := terminal.WriteTree(c.Root().Writer, tr, opts); err != nil {
			return err
		}
	}
	return nil
}
