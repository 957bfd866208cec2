package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/urfave/cli/v3"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/mqtrace/mqtrace/cmd/mqtrace/internal/tap"
)

const (
	defaultTapRate     = 1000
	defaultTapInterval = 10 * time.Second
	switchTimeout      = time.Minute     // for rabbitmqctl, which takes a second or two on an idle machine
	firstTimeout       = 5 * time.Second // for the first record of a firehose just turned on
	shutdownTimeout    = 10 * time.Second
	answerTime         = 5 * time.Second // for RabbitMQ, at the end: one that blocks publishers does not answer
)

func tapCommand() *cli.Command {
	return &cli.Command{
		Name:  "tap",
		Usage: "show RabbitMQ itself in the traces, from its firehose",
		Description: `Listens to RabbitMQ's firehose and adds to each trace what the broker did with the
message: "route orders", with the queues it went to or as an error if there was none,
and "deliver billing", with redeliveries and the dead-letter history. The services are
not touched. Spans are sent over OTLP/HTTP to -endpoint, or as the OTEL_EXPORTER_OTLP_*
variables say, or to http://localhost:4318.

The firehose has a cost: while it is on, RabbitMQ publishes a copy of each message that
is published and of each delivery, body included. docs/tap.md has figures. It is on for
a whole virtual host, until it is turned off:

   rabbitmqctl trace_on -p VHOST         rabbitmqctl trace_off -p VHOST

-turn-on does both, and leaves the firehose on if it was on before: through RabbitMQ's
management API if -management names it, else with rabbitmqctl, on the node's machine and
with its rights. Ctrl-C, SIGTERM and a lost terminal turn it off too; kill -9, and Ctrl-C
twice, leave it on. Of several taps with -turn-on, the last to end turns it off; they
count one another by the consumers of a queue named mqtrace-tap, which is deleted with
the last of them.

Statistics go to standard error, every -interval and at the end; with -o json, the last
ones go to standard output.

Examples:
   mqtrace tap
   mqtrace tap -turn-on -for 1m -endpoint http://localhost:4318
   mqtrace tap -bind publish.orders -bind deliver.billing -max-rate 100
   mqtrace tap -turn-on -management http://localhost:15672 -o json`,
		Flags: []cli.Flag{
			amqpFlag(),
			&cli.StringFlag{Name: "endpoint", Usage: "send spans to the OTLP/HTTP receiver at `URL`"},
			&cli.StringFlag{Name: "service", Value: "rabbitmq", Usage: "call the broker `NAME` (service.name)"},
			&cli.StringSliceFlag{Name: "bind", Value: []string{"#"}, Usage: "tap what matches `KEY`: publish.EXCHANGE, deliver.QUEUE"},
			&cli.BoolFlag{Name: "roots", Usage: "start traces for messages without trace context, too"},
			&cli.IntFlag{Name: "max-rate", Value: defaultTapRate, Usage: "create at most `N` spans a second, and count the rest", Validator: positive},
			&cli.DurationFlag{Name: "interval", Value: defaultTapInterval, Usage: "print statistics every `DURATION`; 0 for at the end only", Validator: notNegative},
			&cli.DurationFlag{Name: "for", Usage: "end after listening for `DURATION`; 0 for never", Validator: notNegative},
			&cli.BoolFlag{Name: "turn-on", Usage: "turn the firehose on, and off again at the end"},
			managementFlag(),
			outputFlag(),
		},
		DisableSliceFlagSeparator: true, // keys may contain commas
		Action:                    runTap,
	}
}

func notNegative(d time.Duration) error {
	if d < 0 {
		return errors.New("must not be negative")
	}
	return nil
}

func runTap(ctx context.Context, c *cli.Command) error {
	if c.Args().Present() {
		return fmt.Errorf("unexpected argument %q, %w", c.Args().First(), errUsage)
	}
	for _, key := range c.StringSlice("bind") {
		if err := checkShort("-bind", key); err != nil {
			return err
		}
	}
	firehose, err := firehoseSwitch(c)
	if err != nil {
		return err
	}
	processor, provider, err := tapProvider(ctx, c)
	if err != nil {
		return err
	}
	// A tap whose statistics cannot be written ends, and turns the firehose off.
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stats, err := listen(ctx, c, firehose, tapConfig(c, provider, func(s tap.Stats) {
		if reportTap(c, processor.Count(s)) != nil {
			cancel()
		}
	}))
	err = errors.Join(err, shutdownProvider(ctx, provider)) // so that all the spans count
	if stats == nil {
		return err
	}
	return errors.Join(err, printTap(c, processor.Count(*stats)))
}

// listen runs a tap until the time is up or it is interrupted, neither of which is an
// error. Without a tap there are no statistics.
func listen(ctx context.Context, c *cli.Command, firehose tap.Switch, cfg tap.Config) (*tap.Stats, error) {
	conn, err := dialAMQP(ctx, c)
	if err != nil {
		return nil, err
	}
	answering, end := context.WithCancel(ctx)
	defer closeAfter(answering, answerTime, prompt{conn})()
	defer end()
	t, err := tap.Open(conn, cfg)
	if err != nil {
		return nil, err
	}
	defer t.Close()
	off, err := ensureOn(ctx, c, conn, t, firehose)
	if err == nil {
		err = runFor(ctx, t, c.Duration("for"))
	}
	if ctx.Err() != nil {
		err = nil
	}
	end()
	stats := t.Stats()
	return &stats, errors.Join(err, off())
}

// runFor runs a tap for d, counted from here: rabbitmqctl may have taken a second or two
// before.
func runFor(ctx context.Context, t *tap.Tap, d time.Duration) error {
	if d == 0 {
		return t.Run(ctx)
	}
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	err := t.Run(ctx)
	if ctx.Err() != nil {
		return nil
	}
	return err
}

func tapConfig(c *cli.Command, provider *sdktrace.TracerProvider, report func(tap.Stats)) tap.Config {
	cfg := tap.Config{
		TracerProvider: provider, Keys: c.StringSlice("bind"), Roots: c.Bool("roots"), MaxRate: c.Int("max-rate"),
		Interval: c.Duration("interval"), Report: report,
	}
	if uri, err := amqp.ParseURI(c.String("amqp")); err == nil {
		cfg.ServerAddress, cfg.ServerPort = uri.Host, uri.Port
	}
	return cfg
}

func reportTap(c *cli.Command, s tap.Stats) error {
	_, err := fmt.Fprintln(c.Root().ErrWriter, "mqtrace tap:", s)
	return err
}

func printTap(c *cli.Command, s tap.Stats) error {
	if isJSON(c) {
		return printJSON(c, s)
	}
	_ = reportTap(c, s) // the tap has done its work, even if nobody reads this
	return nil
}

// firehoseSwitch returns nil if the tap leaves the firehose as it is.
func firehoseSwitch(c *cli.Command) (tap.Switch, error) {
	uri, err := amqp.ParseURI(c.String("amqp"))
	switch {
	case !c.Bool("turn-on"):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("-amqp is not a valid amqp:// URL, %w", errUsage)
	case c.String("management") != "":
		api, err := managementClient(c, uri)
		if err != nil {
			return nil, err
		}
		return tap.Management{API: api, VHost: uri.Vhost}, nil
	case !isLoopback(uri.Host):
		return nil, fmt.Errorf("-turn-on requires -management: rabbitmqctl controls this machine's RabbitMQ, and -amqp names another, %w", errUsage)
	}
	return tap.Control{Command: []string{"rabbitmqctl"}, VHost: uri.Vhost}, nil
}
