// Package showcase is what the short examples have in common, so that each of them is
// about its feature alone: a broker, an SDK for each service that plays a part, and the
// traces as trees at the end.
package showcase

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/propagation"

	"github.com/mqtrace/mqtrace/internal/traceview/spans"
	"github.com/mqtrace/mqtrace/internal/traceview/terminal"
)

// BrokerVariable names a broker to use instead of the in-process one.
const BrokerVariable = "MQTRACE_AMQP_URL"

// patience is how long an example may take, on a slow broker too.
const patience = time.Minute

// An Example is one of the programs beside this package.
type Example struct {
	Name string
	// LookAt says in a line or two what to look at in the traces.
	LookAt string
	// Attributes are the keys of attributes to show in the trees.
	Attributes []string
	// Run does what the example is about. It returns when all the spans that it is
	// about have ended; what it left running then stops.
	Run func(ctx context.Context, s *Stage) error
}

// Main plays the example for a person at a terminal.
func (e Example) Main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // A second signal ends the process the hard way.
	opts := terminal.OptionsFor(os.Stdout)
	if _, err := e.Play(ctx, os.Getenv(BrokerVariable), os.Stdout, opts); err != nil {
		// Joined errors have a line each; this is one.
		fmt.Fprintln(os.Stderr, e.Name+":", strings.ReplaceAll(err.Error(), "\n", "; "))
		os.Exit(1)
	}
}

// Play runs the example on the broker at url, or on one in this process if url is
// empty, and prints its traces to out.
func (e Example) Play(ctx context.Context, url string, out io.Writer, opts terminal.Options) (_ *Played, err error) {
	// As every program that takes part in a trace does at start-up: without it nothing
	// is written to messages or read from them.
	otel.SetTextMapPropagator(propagation.NewCompositeTextMapPropagator(
		propagation.TraceContext{}, propagation.Baggage{}))

	ctx, cancel := context.WithTimeoutCause(ctx, patience, errors.New("it took too long"))
	defer cancel()
	s, err := open(ctx, url)
	if err != nil {
		return nil, err
	}
	err = e.Run(s.ctx, s)
	// Why it could not go on says more than where it stopped.
	if cause := context.Cause(s.ctx); cause != nil && !errors.Is(err, cause) {
		err = errors.Join(cause, err)
	}
	if err := errors.Join(err, s.close()); err != nil {
		return nil, err
	}
	opts.Attributes = e.Attributes
	played := &Played{Prefix: s.prefix, Traces: s.spans.store.Traces()}
	for _, tr := range played.Traces {
		if err := terminal.WriteTree(out, tr, opts); err != nil {
			return nil, fmt.Errorf("print a trace: %w", err)
		}
		fmt.Fprintln(out)
	}
	fmt.Fprintln(out, strings.TrimSpace(e.LookAt))
	return played, nil
}

// Played is what came of an example.
type Played struct {
	// Prefix is what names on the broker began with.
	Prefix string
	Traces []spans.Trace
}
