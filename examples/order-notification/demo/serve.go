package demo

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/mqtrace/mqtrace/examples/order-notification/backend"
	"github.com/mqtrace/mqtrace/examples/order-notification/config"
	"github.com/mqtrace/mqtrace/examples/order-notification/shop"
	"github.com/mqtrace/mqtrace/internal/traceview/spans"
)

const (
	serveAddr = "127.0.0.1:8080"
	// viewAddr is the exporters' default endpoint.
	viewAddr  = "127.0.0.1:4318"
	lookEvery = 500 * time.Millisecond
	// quietTime is how long a trace must have no new span before it is shown. There is no
	// way to know that a trace is complete; one that grows later is shown again.
	quietTime = 2500 * time.Millisecond
)

// Serve keeps the services up until ctx ends, and shows each new trace: on a web
// page at once, and as text when it seems complete. Other processes can use the
// servers, and send their spans to the page.
func Serve(ctx context.Context, cfg config.Config, opts Options) (err error) {
	cfg.HTTPAddr = cmp.Or(cfg.HTTPAddr, serveAddr)
	where := places{backend.OpenAtDefaults, []string{viewAddr, anyPort}}
	if cfg.ViewAddr != "" {
		where.view = []string{cfg.ViewAddr}
	}
	parts := slices.DeleteFunc([]shop.Part{shop.Order, shop.Notification, shop.Email},
		func(p shop.Part) bool { return slices.Contains(opts.Without, p) })
	s, err := open(ctx, cfg, opts, where, parts...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close(ctx)) }()
	s.greet(backend.Describe(cfg), opts.Without)

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
			return err // nil if ctx is done
		case now := <-watching.C:
			for _, tr := range w.due(s.store.Traces(), now) {
				fmt.Fprintln(s.out)
				if err := s.print(tr); err != nil {
					return err
				}
				fmt.Fprintf(s.out, "   %s/#/trace/%s\n", s.receiver.URL(), tr.ID)
			}
		}
	}
}

// sighting is a trace's size, and the time since which it has not changed.
type sighting struct {
	spans int
	since time.Time
	shown bool
}

// watch finds the traces that have stopped growing.
type watch struct{ seen map[trace.TraceID]sighting }

func (w *watch) due(traces []spans.Trace, now time.Time) []spans.Trace {
	var due []spans.Trace
	kept := make(map[trace.TraceID]sighting, len(traces)) // Forget what the store has dropped.
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
