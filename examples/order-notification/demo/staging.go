// Package demo runs the whole example in one process and shows its traces.
package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/mqtrace/mqtrace/examples/order-notification/backend"
	"github.com/mqtrace/mqtrace/examples/order-notification/config"
	"github.com/mqtrace/mqtrace/examples/order-notification/events"
	"github.com/mqtrace/mqtrace/examples/order-notification/shop"
	"github.com/mqtrace/mqtrace/examples/order-notification/telemetry"
	"github.com/mqtrace/mqtrace/internal/traceview"
	"github.com/mqtrace/mqtrace/internal/traceview/terminal"
)

// places are the addresses of the servers and the page.
type places struct {
	backend func(context.Context, config.Config) (*backend.Backend, error)
	view    []string // the first address that is free
}

const (
	anyPort = "127.0.0.1:0"

	// Retries are quick here, to keep the demo short. asynq counts in whole seconds.
	emailRetryDelay   = time.Second
	emailPollInterval = 200 * time.Millisecond

	cleanUpTimeout = 5 * time.Second
)

// Options control the output.
type Options struct {
	Verbose        bool // show the services' log, with all its fields, on Stderr
	Version        string
	Stdout, Stderr *os.File
	// Without lists the parts that Serve does not run, because each has a process of its
	// own.
	Without []shop.Part
}

// staging is the servers, the services and the receiver of their traces, which has a web
// page.
type staging struct {
	out  io.Writer
	tree terminal.Options
	logs *logbook

	backend    *backend.Backend
	topology   events.Topology
	emailQueue string
	telemetry  telemetry.Config
	store      *traceview.Store
	receiver   *traceview.Server
	shop       *shop.Shop
	flushes    sync.WaitGroup // of senders of spans other than the shop
}

// open starts the servers, the receiver and the parts. The caller calls close.
func open(
	ctx context.Context, cfg config.Config, opts Options, where places, parts ...shop.Part,
) (_ *staging, err error) {
	s := &staging{
		out:   opts.Stdout,
		tree:  terminal.OptionsFor(opts.Stdout),
		logs:  newLogbook(opts.Stderr, opts.Verbose),
		store: traceview.NewStore(traceview.Limits{}),
	}
	s.tree.Attributes = []string{"order.outcome", "tenant.id"}
	if s.backend, err = where.backend(ctx, cfg); err != nil {
		return nil, err //nolint:wrapcheck // It says what it was doing.
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close(ctx))
		}
	}()
	s.topology, s.emailQueue = s.backend.Topology(), s.backend.EmailQueue()
	if s.receiver, err = backend.FirstFree(s.listen, where.view...); err != nil {
		return nil, fmt.Errorf("start the page with the traces: %w", err)
	}
	s.telemetry = telemetry.Config{
		Version:   opts.Version,
		KeepName:  true,
		ViewerURL: s.receiver.URL(),
		LogWriter: s.logs,
	}
	s.shop, err = shop.Start(ctx, shop.Config{
		AMQPURL:           s.backend.AMQPURL,
		Redis:             s.backend.Redis,
		Prefix:            s.backend.Prefix,
		HTTPAddr:          cfg.HTTPAddr,
		PaymentURL:        cfg.PaymentURL,
		Telemetry:         s.telemetry,
		EmailRetryDelay:   emailRetryDelay,
		EmailPollInterval: emailPollInterval,
	}, parts...)
	if err != nil {
		return nil, err //nolint:wrapcheck // It names the service.
	}
	return s, nil
}

// listen serves the page with the traces, which is also their OTLP endpoint. Other machines
// can reach it only if the address says so.
func (s *staging) listen(addr string) (*traceview.Server, error) {
	return traceview.Listen(addr, s.store, traceview.AllowNonLoopback()) //nolint:wrapcheck // The caller says what it was doing.
}

// close stops the services first, so that their last spans still find the
// receiver and their queues can be deleted.
func (s *staging) close(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanUpTimeout)
	defer cancel()
	var errs []error
	if s.shop != nil {
		stopped, stop := context.WithCancel(ctx)
		stop()
		errs = append(errs, s.shop.Run(stopped))
	}
	s.flushes.Wait()
	if s.receiver != nil {
		errs = append(errs, s.receiver.Close())
	}
	return errors.Join(append(errs, s.backend.Close(ctx))...)
}
