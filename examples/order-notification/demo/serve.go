package demo

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/mqtrace/mqtrace/examples/order-notification/config"
	"github.com/mqtrace/mqtrace/internal/traceview"
)

const (
	serveAddr = "127.0.0.1:8080"
	lookEvery = 500 * time.Millisecond
	// quietTime without a new span makes a trace worth showing. Nobody can
	// know that a trace is complete; one that goes on is shown again.
	quietTime = 2500 * time.Millisecond
)

// Serve keeps the services up until ctx ends, and shows each new trace.
func Serve(ctx context.Context, cfg config.Config, opts Options) (err error) {
	cfg.HTTPAddr = cmp.Or(cfg.HTTPAddr, serveAddr)
	s, err := open(ctx, cfg, opts)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close(ctx)) }()
	s.greet()

	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	failed := make(chan error, 1)
	go func() { failed <- s.shop.Run(ctx) }()
	watching := time.NewTicker(lookEvery)
	defer watching.Stop()
	w := watch{seen: make(map[trace.TraceID]sighting)}
	for {
		select {
		case err := <-failed:
			return err // nil where ctx has ended
		case now := <-watching.C:
			for _, tr := range w.due(s.store.Traces(), now) {
				fmt.Fprintln(s.out)
				if err := s.print(tr); err != nil {
					return err
				}
			}
		}
	}
}

func (s *staging) greet() {
	fmt.Fprintf(s.out, `Four services on %s, until Ctrl-C. Type, in another terminal:

  curl -i %s/orders -H 'X-Tenant-ID: acme' -d '{"email":"customer@example.com","payment_token":"tok_ok","items":[{"sku":"tea","quantity":1}]}'

Its trace is printed here a few seconds later. Other things to try: the address
flaky@example.com, the article samovar, the tokens tok_declined, tok_unavailable and
tok_panic.
`, s.backend.Describe(), s.shop.OrderURL())
}

// sighting is a trace's size, and since when it has had it.
type sighting struct {
	spans int
	since time.Time
	shown bool
}

// watch finds the traces that have stopped growing.
type watch struct{ seen map[trace.TraceID]sighting }

func (w *watch) due(traces []traceview.Trace, now time.Time) []traceview.Trace {
	var due []traceview.Trace
	kept := make(map[trace.TraceID]sighting, len(traces)) // What the store gave up, we forget.
	for _, tr := range traces {
		last, ok := w.seen[tr.ID]
		if !ok || last.spans != len(tr.Spans) {
			last = sighting{spans: len(tr.Spans), since: now}
		}
		if !last.shown && now.Sub(last.since) >= quietTime {
			last.shown = true
			due = append(due, tr)
		}
		kept[tr.ID] = last
	}
	w.seen = kept
	return due
}
