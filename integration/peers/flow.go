package main

import (
	"context"
	"fmt"
	"os"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// flow is what was measured of messages that really went through a server.
type flow struct {
	name             string
	raw, traced      []round
	p50, p99, median [2]float64 // of raw and of traced
	ratio            float64    // of the throughputs, traced to raw
}

// round is one turn of a flow.
type round struct {
	perSecond float64
	latencies []float64 // milliseconds
}

// runner sends messages through a server: as fast as it can, and then paced so that
// nothing queues up, where the time from the send to the handler is taken.
type runner func(ctx context.Context) (round, error)

func endToEnd(ctx context.Context, c config) ([]*flow, error) {
	var flows []*flow
	for _, server := range []struct {
		name, addr string
		start      func(addr string, tp *sdktrace.TracerProvider) (runner, func(), error)
	}{
		{"RabbitMQ, amqp091-go", c.amqp, onRabbitMQ},
		{"Redis, asynq", c.redis, onRedis},
	} {
		if server.addr == "" {
			continue
		}
		fmt.Fprintln(os.Stderr, "measuring", server.name)
		f := &flow{name: server.name}
		raw, end, err := server.start(server.addr, nil)
		if err != nil {
			return nil, err
		}
		tp := exporting()
		traced, endTraced, err := server.start(server.addr, tp)
		if err != nil {
			end()
			return nil, err
		}
		err = f.takeTurns(ctx, c.rounds, raw, traced)
		end()
		endTraced()
		_ = tp.Shutdown(ctx)
		if err != nil {
			return nil, err
		}
		flows = append(flows, f)
	}
	return flows, nil
}

func (f *flow) takeTurns(ctx context.Context, rounds int, raw, traced runner) error {
	for _, warm := range []runner{raw, traced} {
		if _, err := warm(ctx); err != nil {
			return err
		}
	}
	for range rounds {
		r, err := raw(ctx)
		if err != nil {
			return err
		}
		s, err := traced(ctx)
		if err != nil {
			return err
		}
		f.raw, f.traced = append(f.raw, r), append(f.traced, s)
	}
	var ratios []float64
	for i := range f.raw {
		ratios = append(ratios, f.traced[i].perSecond/f.raw[i].perSecond)
	}
	f.ratio = quantile(ratios, 0.5)
	for i, side := range [][]round{f.raw, f.traced} {
		var throughputs, latencies []float64
		for _, r := range side {
			throughputs = append(throughputs, r.perSecond)
			latencies = append(latencies, r.latencies...)
		}
		f.median[i], f.p50[i], f.p99[i] = quantile(throughputs, 0.5), quantile(latencies, 0.5), quantile(latencies, 0.99)
	}
	return nil
}

const (
	fast    = 3000                 // messages of a round that are sent at once
	inOrder = 200                  // messages of a round that are paced
	pace    = 2 * time.Millisecond // between those
)

// exporting is what a program in production has: a batch processor, here to nowhere,
// and every span sampled.
func exporting() *sdktrace.TracerProvider {
	return sdktrace.NewTracerProvider(sdktrace.WithBatcher(discard{}))
}

type discard struct{}

func (discard) ExportSpans(context.Context, []sdktrace.ReadOnlySpan) error { return nil }
func (discard) Shutdown(context.Context) error                             { return nil }

// patience is how long a message may take before it counts as lost.
const patience = 20 * time.Second

// paced sends one message after the other and takes how long each was on its way, which
// handlers tell as nanoseconds.
func paced(send func(sentAt time.Time) error, took <-chan time.Duration) ([]float64, error) {
	latencies := make([]float64, 0, inOrder)
	for n := range inOrder {
		time.Sleep(pace)
		if err := send(time.Now()); err != nil {
			return nil, err
		}
		d, err := arrival(took, n, inOrder)
		if err != nil {
			return nil, err
		}
		latencies = append(latencies, float64(d)/1e6)
	}
	return latencies, nil
}

// arrivals waits until as many messages as were sent at once have come.
func arrivals(took <-chan time.Duration) error {
	for n := range fast {
		if _, err := arrival(took, n, fast); err != nil {
			return err
		}
	}
	return nil
}

// arrival waits for the next message, after n of them. A lost one would be waited for
// for ever.
func arrival(took <-chan time.Duration, n, of int) (time.Duration, error) {
	select {
	case d := <-took:
		return d, nil
	case <-time.After(patience):
		return 0, fmt.Errorf("peers: no message for %v, after %d of %d", patience, n, of)
	}
}
