package demo

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/mqtrace/mqtrace/examples/order-notification/backend"
	"github.com/mqtrace/mqtrace/examples/order-notification/config"
	"github.com/mqtrace/mqtrace/examples/order-notification/shop"
	"github.com/mqtrace/mqtrace/examples/order-notification/telemetry"
	"github.com/mqtrace/mqtrace/internal/traceview/spans"
)

// traceTimeout is how long the demo waits for a trace to be complete.
const traceTimeout = 30 * time.Second

var errSampling = errors.New("the demo needs every trace, and the environment drops some: " +
	"unset OTEL_SDK_DISABLED and set OTEL_TRACES_SAMPLER=parentbased_always_on")

// Run plays the five scenes and shows their traces. It fails if a trace does not become
// complete.
func Run(ctx context.Context, cfg config.Config, opts Options) (err error) {
	if !telemetry.KeepsEverything(ctx) {
		return errSampling
	}
	started := time.Now()
	// Before anything slow, so that a user who has waited for the first build sees a sign
	// of life.
	fmt.Fprintf(opts.Stdout, "Four services on %s, and five things that happen to them.\n", backend.Describe(cfg))
	// Nobody calls the API from outside, so no fixed port needs to be free.
	cfg.HTTPAddr = ""
	s, err := open(ctx, cfg, opts, places{backend.Open, []string{anyPort}}, shop.Order, shop.Notification, shop.Email)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close(ctx)) }()
	scenes := s.scenes()
	ids := make([]string, len(scenes))
	for i, scene := range scenes {
		if ids[i], err = scene.send(ctx); err != nil {
			return fmt.Errorf("%s: %w", scene.title, err)
		}
	}
	spans := 0
	for i, scene := range scenes {
		n, err := s.show(ctx, i+1, scene, ids[i])
		if err != nil {
			return err
		}
		spans += n
	}
	fmt.Fprintf(s.out, "\n%d traces, %d spans, %.1f s. To play with it yourself: go run ./examples/order-notification -serve\n",
		len(scenes), spans, time.Since(started).Seconds())
	return nil
}

// show waits for a scene's trace and prints it.
func (s *staging) show(ctx context.Context, number int, scene scene, traceID string) (shown int, err error) {
	id, err := trace.TraceIDFromHex(traceID)
	if err != nil {
		return 0, fmt.Errorf("%s: no trace id: %w", scene.title, err)
	}
	waitCtx, cancel := context.WithTimeout(ctx, traceTimeout)
	defer cancel()
	complete := s.store.Wait(waitCtx, id, func(tr spans.Trace) bool {
		return len(missing(tr, scene.spans)) == 0
	})
	if ctx.Err() != nil {
		return 0, fmt.Errorf("interrupted: %w", ctx.Err())
	}
	tr, _ := s.store.Trace(id)
	fmt.Fprintf(s.out, "\n%d. %s\n\n", number, scene.title)
	if err := s.print(tr); err != nil {
		return 0, err
	}
	for _, note := range scene.notes {
		fmt.Fprintf(s.out, "   > %s\n", note)
	}
	if !complete {
		return 0, fmt.Errorf("%s: trace %s is not complete after %v; missing: %s",
			scene.title, traceID, traceTimeout, strings.Join(missing(tr, scene.spans), ", "))
	}
	return len(tr.Spans), nil
}

// missing returns what a trace lacks: expected spans, and the parents of its spans.
func missing(tr spans.Trace, wanted []string) []string {
	left := slices.Clone(wanted)
	known := make(map[trace.SpanID]bool, len(tr.Spans))
	for i := range tr.Spans {
		span := &tr.Spans[i]
		known[span.SpanID] = true
		if at := slices.Index(left, span.Service+": "+span.Name); at >= 0 {
			left = slices.Delete(left, at, at+1)
		}
	}
	for i := range tr.Spans {
		span := &tr.Spans[i]
		if span.ParentID.IsValid() && !known[span.ParentID] {
			left = append(left, "the parent of "+span.Name)
		}
	}
	return left
}
