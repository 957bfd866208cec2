// Package showcase provides what the short examples share, so that each of them shows only
// its feature: a broker, an SDK for each service that takes part, and the traces as trees
// at the end.
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

// An Example is one of the example programs.
type Example struct {
	Name string
	// LookAt describes in a line or two what to look at in the traces.
	LookAt string
	// Attributes are the keys of the attributes that the trees show.
	Attributes []string
	// Run runs the example. It returns when all the spans of interest have ended; whatever
	// it left running is then stopped.
	Run func(ctx context.Context, s *Stage) error
}

// Main runs the example on a terminal.
func (e Example) Main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // A second signal kills the process.
	opts := terminal.OptionsFor(os.Stdout)
	if _, err := e.Play(ctx, os.Getenv(BrokerVariable), os.Stdout, opts); err != nil {
		// Joined errors have a line each; this is one.
		fmt.Fprintln(os.Stderr, e.Name+":", strings.ReplaceAll(err.Error(), "\n", "; "))
		os.Exit(1)
	}
}

// Play runs the example on the broker at url, or on an in-process one if url is empty, and
// prints its traces to out.
func (e Example) Play(ctx context.Context, url string, out io.Writer, opts terminal.Options) (_ *Played, err error) {
	// Every program that takes part in a trace does this at start-up: without it nothing is
	// written to messages or read from them.
	otel.SetTextMapPropagator(propagation.NewCompositeTextMapPropagator(
		propagation.TraceContext{}, propagation.Baggage{}))

	ctx, cancel := context.WithTimeoutCause(ctx, patience, errors.New("the example took too long"))
	defer cancel()
	s, err := open(ctx, url)
	if err != nil {
		return nil, err
	}
	err = e.Run(s.ctx, s)
	// The cause says more than ctx's error.
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

// Played is the result of running an example.
type Played struct {
	// Prefix is the prefix of names on the broker.
	Prefix string
	Traces []spans.Trace
}
