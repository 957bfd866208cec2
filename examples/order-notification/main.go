// Command order-notification shows one order as one trace: an order API, a
// payment service, a notification consumer on RabbitMQ and an email worker on
// asynq.
//
// Without flags it runs all of them in this process, sends a few orders and
// prints their traces. See the README beside this file.
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/mqtrace/mqtrace/examples/order-notification/config"
	"github.com/mqtrace/mqtrace/examples/order-notification/demo"
	"github.com/mqtrace/mqtrace/examples/order-notification/httpserver"
	"github.com/mqtrace/mqtrace/examples/order-notification/shop"
)

// version is set when the image is built: -ldflags "-X main.version=1.2.3".
var version = "dev"

// Exit codes.
const (
	exitFailed = 1
	exitUsage  = 2
)

// hardStopAfter is how long further signals are ignored after the first.
const hardStopAfter = time.Second

// The default addresses of the parts. They differ so that all parts can run on one machine.
var listenAddrs = map[shop.Part]string{
	shop.Order:        "127.0.0.1:8080",
	shop.Notification: "127.0.0.1:8081",
	shop.Email:        "127.0.0.1:8082",
}

type options struct {
	part        string
	serve       bool
	without     []shop.Part
	verbose     bool
	healthcheck bool
}

func main() {
	opts, err := parseFlags(os.Args[1:], os.Stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return
	case err != nil:
		os.Exit(exitUsage)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	// A second signal kills the process, but not one that arrives twice at once because it
	// was sent to the process and to its group, as timeout(1) does.
	context.AfterFunc(ctx, func() { time.AfterFunc(hardStopAfter, stop) })
	if err := run(ctx, opts); err != nil {
		// Joined errors have a line each; this is one.
		fmt.Fprintln(os.Stderr, "order-notification:", strings.ReplaceAll(err.Error(), "\n", "; "))
		os.Exit(exitFailed)
	}
}

func parseFlags(args []string, stderr io.Writer) (options, error) {
	var opts options
	flags := flag.NewFlagSet("order-notification", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&opts.part, "run", "", "run one `service` alone: order, must be notification or email")
	flags.BoolVar(&opts.serve, "serve", false, "keep all services up and show the traces of what you send, here and on a web page")
	flags.Func("without", "with -serve, do not run this `service`, so that it can run in a process of its own: notification or email; may be repeated", func(text string) error {
		if part := shop.Part(text); part != shop.Notification && part != shop.Email {
			return errors.New("must be notification or email")
		}
		opts.without = append(opts.without, shop.Part(text))
		return nil
	})
	flags.BoolVar(&opts.verbose, "v", false, "print the services' log, with all its fields, to standard error")
	flags.BoolVar(&opts.healthcheck, "healthcheck", false, "check the health of the service at HTTP_ADDR, and exit 0 or 1")
	if err := flags.Parse(args); err != nil {
		return options{}, err //nolint:wrapcheck // The flag package has printed it.
	}
	var problem string
	_, known := listenAddrs[shop.Part(opts.part)]
	switch {
	case flags.NArg() > 0:
		problem = fmt.Sprintf("unexpected argument %q", flags.Arg(0))
	case opts.part != "" && !known:
		problem = fmt.Sprintf("unknown service %q: must be order, notification or email", opts.part)
	case opts.part != "" && opts.serve:
		problem = "-run and -serve cannot be used together"
	case opts.without != nil && !opts.serve:
		problem = "-without requires -serve"
	default:
		return opts, nil
	}
	fmt.Fprintln(stderr, problem)
	flags.Usage()
	return options{}, errors.New(problem)
}

func run(ctx context.Context, opts options) error {
	cfg, err := config.FromEnvironment()
	if err != nil {
		return err //nolint:wrapcheck // It names the variable.
	}
	adoptLibraryLogs()
	show := demo.Options{Verbose: opts.verbose, Version: version, Stdout: os.Stdout, Stderr: os.Stderr, Without: opts.without}
	switch part := shop.Part(opts.part); {
	case opts.healthcheck:
		return httpserver.CheckHealth(ctx, cmp.Or(cfg.HTTPAddr, listenAddrs[part], listenAddrs[shop.Order]))
	case part != "":
		return runPart(ctx, cfg, part)
	case opts.serve:
		return demo.Serve(ctx, cfg, show)
	default:
		return demo.Run(ctx, cfg, show)
	}
}
