package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/signal"
	"regexp"
	"strconv"
	"strings"
	"syscall"

	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/urfave/cli/v3"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"github.com/mqtrace/mqtrace/cmd/mqtrace/internal/tap"
	"github.com/mqtrace/mqtrace/cmd/mqtrace/internal/weburl"
	"github.com/mqtrace/mqtrace/internal/traceview"
	"github.com/mqtrace/mqtrace/internal/traceview/textfmt"
)

// errNoAnswer means that the tap's own message has not come back.
var errNoAnswer = errors.New("RabbitMQ does not deliver the message that shows whether the firehose is on; does it block publishers?")

// ensureOn turns the firehose on if requested and not done yet. The returned function turns
// it off again if it was turned on here.
func ensureOn(ctx context.Context, c *cli.Command, conn *amqp.Connection, t *tap.Tap, firehose tap.Switch) (off func() error, err error) {
	off = func() error { return nil }
	asking, cancel := context.WithTimeoutCause(ctx, dialTimeout, errNoAnswer)
	defer cancel()
	on, err := t.On(asking)
	if errors.Is(err, context.DeadlineExceeded) {
		err = context.Cause(asking)
	}
	if err != nil || on && firehose == nil {
		return off, err
	}
	vhost := "/"
	if uri, err := amqp.ParseURI(c.String("amqp")); err == nil {
		vhost = uri.Vhost
	}
	if firehose == nil {
		warnf(c, "the firehose of virtual host %q is off, and nothing arrives until rabbitmqctl trace_on -p '%s', or -turn-on, turns it on", vhost, vhost)
		return off, nil
	}
	// Join only after checking the firehose: whoever turned it on joined before.
	presence, shared := join(c, conn)
	if on && !shared {
		leave(presence)
		return off, nil
	}
	// Without this, SIGPIPE from a closed standard error would end the process before the
	// firehose is off.
	signal.Ignore(syscall.SIGPIPE)
	// It may be on even if turning it on fails.
	off = func() error {
		if n := leave(presence); n > 0 {
			fmt.Fprintf(c.Root().ErrWriter, "mqtrace tap: leaving the firehose on for %s; the last tap to end turns it off\n", textfmt.Count(n, "other tap"))
			return nil
		}
		return turnOff(ctx, c, firehose)
	}
	if on {
		return off, nil
	}
	return turnOn(ctx, c, vhost, t, firehose, off)
}

// join registers the tap with those that control the firehose, and reports whether there
// are others. Without the permission for that, it reports none.
func join(c *cli.Command, conn *amqp.Connection) (p *tap.Presence, shared bool) {
	p, err := tap.Join(conn)
	if err != nil {
		warnf(c, "other taps with -turn-on cannot be seen: %s", err)
		return nil, false
	}
	others, err := p.Others()
	return p, err == nil && others > 0
}

// leave returns how many others control the firehose.
func leave(p *tap.Presence) (others int) {
	if p == nil {
		return 0
	}
	others, err := p.Leave()
	if err != nil {
		return 0
	}
	return others
}

// turnOn turns the firehose on and waits for its first record. It returns off, unless
// nothing was turned on.
func turnOn(ctx context.Context, c *cli.Command, vhost string, t *tap.Tap, firehose tap.Switch, off func() error) (func() error, error) {
	fmt.Fprintf(c.Root().ErrWriter, "mqtrace tap: turning on the firehose of virtual host %s: "+
		"RabbitMQ publishes a copy of each message when it is published and at each delivery\n", printable(strconv.Quote(vhost)))
	setting, cancel := context.WithTimeout(ctx, switchTimeout)
	defer cancel()
	if err := firehose.Set(setting, true); err != nil {
		if tap.NotAsked(err) {
			off = func() error { return nil } // the registration ends with the connection
		}
		return off, fmt.Errorf("turn the firehose on: %w", err)
	}
	waiting, cancel := context.WithTimeout(ctx, firstTimeout)
	defer cancel()
	if err := t.AwaitOn(waiting); err != nil {
		if ctx.Err() == nil && waiting.Err() != nil {
			err = errors.New("it was turned on, but nothing arrives from it: does it belong to another RabbitMQ?")
		}
		return off, err
	}
	return off, nil
}

func turnOff(ctx context.Context, c *cli.Command, firehose tap.Switch) error {
	fmt.Fprintln(c.Root().ErrWriter, "mqtrace tap: turning off the firehose")
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), switchTimeout)
	defer cancel()
	if err := firehose.Set(ctx, false); err != nil {
		return fmt.Errorf("the firehose may still be on, turn it off: %w", err)
	}
	return nil
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

const defaultEndpoint = "http://localhost:4318"

// tapProvider exports to the endpoint in the flag, else in the environment.
func tapProvider(ctx context.Context, c *cli.Command) (*tap.Processor, *sdktrace.TracerProvider, error) {
	opts, err := endpointOptions(c.String("endpoint"))
	if err != nil {
		return nil, nil, err
	}
	exporter, err := otlptracehttp.New(ctx, opts...)
	if err != nil {
		return nil, nil, errors.New(withoutPassword(err))
	}
	attributes, err := resource.New(ctx, resource.WithFromEnv(), resource.WithTelemetrySDK(),
		resource.WithAttributes(semconv.ServiceName(c.String("service"))))
	if err != nil {
		warnf(c, "OTEL_RESOURCE_ATTRIBUTES: %v", err)
	}
	said := ""
	processor := tap.NewProcessor(exporter, func(err error) {
		if text := withoutPassword(err); text != said { // once, not every second
			warnf(c, "export spans: %s", text)
			said = text
		}
	})
	provider := sdktrace.NewTracerProvider(sdktrace.WithResource(attributes), sdktrace.WithSpanProcessor(processor),
		sdktrace.WithSampler(sdktrace.ParentBased(sdktrace.AlwaysSample())))
	return processor, provider, nil
}

// endpointOptions also checks the environment, whose errors the exporter would only log,
// passwords included.
func endpointOptions(endpoint string) ([]otlptracehttp.Option, error) {
	variable := "-endpoint"
	if endpoint == "" {
		if p := cmp.Or(os.Getenv("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"), os.Getenv("OTEL_EXPORTER_OTLP_PROTOCOL")); p == "grpc" {
			return nil, fmt.Errorf("OTLP over gRPC is not built in: name an OTLP/HTTP receiver with -endpoint, %w", errUsage)
		}
		for _, variable = range []string{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"} {
			if value := os.Getenv(variable); value != "" {
				return nil, checkEndpoint(variable, value)
			}
		}
		endpoint = defaultEndpoint
	}
	if err := checkEndpoint(variable, endpoint); err != nil {
		return nil, err
	}
	endpoint = strings.TrimSuffix(endpoint, "/")
	if !strings.HasSuffix(endpoint, traceview.TracesPath) {
		endpoint += traceview.TracesPath
	}
	return []otlptracehttp.Option{otlptracehttp.WithEndpointURL(endpoint)}, nil
}

func checkEndpoint(name, value string) error {
	if _, err := weburl.Parse(value); err != nil {
		return fmt.Errorf("%s is not a valid http:// URL%s, %w", name, escapingHint(value), errUsage)
	}
	return nil
}

// withoutPassword is the text of an error, in which the exporter quotes its URL.
func withoutPassword(err error) string { return userinfo.ReplaceAllString(err.Error(), "//") }

var userinfo = regexp.MustCompile(`//[^/@\s]*@`)

// shutdownProvider exports the remaining spans.
func shutdownProvider(ctx context.Context, provider *sdktrace.TracerProvider) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
	defer cancel()
	if err := provider.Shutdown(ctx); err != nil {
		return errors.New(withoutPassword(err))
	}
	return nil
}
