package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/mqtrace/mqtrace/cmd/mqtrace/internal/probe"
)

const defaultProbeTimeout = 10 * time.Second

func probeCommand() *cli.Command {
	return groupCommand("probe", "send a marked message and see whether its trace context arrives",
		`Sends traceparent, tracestate and baggage with valid values that careless intermediaries
break, and reports how each arrived: unchanged, continued by a service on the way,
changed, of another AMQP type, or lost. Exits 0 only if all survived, 3 if not,
and 1 if the probe could not be sent, or was interrupted.

Examples:
   mqtrace probe amqp -exchange orders -key order.created -queue probe.orders
   mqtrace probe asynq -queue default`,
		probeAMQPCommand(), probeAsynqCommand())
}

func probeAMQPCommand() *cli.Command {
	return &cli.Command{
		Name:  "amqp",
		Usage: "through an exchange of RabbitMQ to a queue",
		Description: `The queue must be empty and have no consumers, or nothing is sent: the probe would get
other messages from a queue that is in use. Use one made for the probe, at the end of
the route: bound beside the real queue, behind the dead-letter exchange, at the other
end of the shovel. It is left empty; if another message arrives meanwhile, it is put
back (marked as redelivered) and the probe ends.

The exchange routes the message like any other with that key, to real queues and their
consumers too. It has the header mqtrace-probe-id, the type mqtrace.probe and a JSON
body, and expires 10 s after -timeout unless it is consumed; a queue with a dead-letter
exchange then dead-letters it.

-temporary waits at an exclusive queue bound with the same exchange and key. It shows
what the exchange routes, and nothing further along. -via adds such queues along the
route, to find where a field was lost.

Examples:
   mqtrace probe amqp -queue probe
   mqtrace probe amqp -exchange orders -key order.created -temporary
   mqtrace probe amqp -exchange orders -key order.created -queue probe.orders
   mqtrace probe amqp -exchange orders -key order.created -queue probe.invoices \
      -via orders:order.created -via invoices:#
   mqtrace probe amqp -queue probe -o json | jq .damage`,
		Flags: []cli.Flag{
			amqpFlag(),
			&cli.StringFlag{Name: "exchange", Usage: "publish to `EXCHANGE` (by default, the default one)"},
			&cli.StringFlag{Name: "key", Usage: "publish with the routing `KEY` (with the default exchange, by default the queue's name)"},
			&cli.StringFlag{Name: "queue", Usage: "wait for the message at `QUEUE`"},
			&cli.BoolFlag{Name: "temporary", Usage: "wait at a temporary queue instead, with the same exchange and key"},
			&cli.StringSliceFlag{Name: "via", Usage: "look for the message at `EXCHANGE:KEY` too, with a temporary queue", Validator: checkVia},
			&cli.DurationFlag{Name: "timeout", Value: defaultProbeTimeout, Usage: "wait for `DURATION`", Validator: checkProbeTimeout},
			outputFlag(),
		},
		DisableSliceFlagSeparator: true, // keys may contain commas
		Action:                    probeAMQP,
	}
}

func probeAsynqCommand() *cli.Command {
	return &cli.Command{
		Name:  "asynq",
		Usage: "into a queue of asynq and out again",
		Description: `Schedules a task of the type mqtrace:probe for a day later, reads it back as asynq's
Inspector does, and deletes it. No worker gets it, and nothing else in the queue is
touched. The probe does not show what workers do with headers: those with asynq before
v0.26 drop them when they retry a task.

A queue that servers process is refused without -live: if the probe is killed before it
deletes the task, they get it a day later.

Examples:
   mqtrace probe asynq -queue default
   mqtrace probe asynq -queue default -live -o json`,
		Flags: []cli.Flag{
			redisFlag(),
			&cli.StringFlag{Name: "queue", Value: "default", Usage: "put the task into `QUEUE`"},
			&cli.BoolFlag{Name: "live", Usage: "probe a queue that servers process, too"},
			outputFlag(),
		},
		Action: probeAsynq,
	}
}

// maxVia bounds the temporary queues.
const maxVia = 16

func checkVia(via []string) error {
	if len(via) > maxVia {
		return fmt.Errorf("may be given at most %d times", maxVia)
	}
	for _, v := range via {
		if exchange, _, ok := strings.Cut(v, ":"); !ok || exchange == "" {
			return fmt.Errorf("%q is not of the form EXCHANGE:KEY", v)
		}
	}
	return nil
}

func checkProbeTimeout(d time.Duration) error {
	if d < time.Millisecond || d > time.Hour {
		return errors.New("must be from 1ms to 1h")
	}
	return nil
}

func probeAMQP(ctx context.Context, c *cli.Command) error {
	route, err := probeRoute(c)
	if err != nil {
		return err
	}
	conn, err := dialAMQP(ctx, c)
	if err != nil {
		return err
	}
	defer closeAfter(ctx, giveBackTime, prompt{conn})()
	result, err := probe.AMQP(ctx, conn, route)
	if ctx.Err() != nil && !errors.Is(err, ctx.Err()) {
		return errInterrupted
	}
	if errors.Is(err, probe.ErrBusy) {
		return fmt.Errorf("%w; -temporary probes only the exchange", err)
	}
	return printProbe(c, result, err)
}

func probeRoute(c *cli.Command) (probe.Route, error) {
	r := probe.Route{
		From:  probe.Binding{Exchange: c.String("exchange"), Key: c.String("key")},
		Queue: c.String("queue"), Timeout: c.Duration("timeout"),
	}
	temporary := c.Bool("temporary")
	switch {
	case c.Args().Present():
		return r, fmt.Errorf("unexpected argument %q, %w", c.Args().First(), errUsage)
	case temporary == (r.Queue != ""):
		return r, fmt.Errorf("exactly one of -queue and -temporary is required, %w", errUsage)
	case temporary && r.From.Exchange == "":
		return r, fmt.Errorf("-temporary requires -exchange: queues cannot be bound to the default exchange, %w", errUsage)
	case r.From.Exchange == "" && r.From.Key == "":
		r.From.Key = r.Queue
	}
	for _, name := range []string{"exchange", "key", "queue"} {
		if err := checkShort("-"+name, c.String(name)); err != nil {
			return r, err
		}
	}
	for _, v := range c.StringSlice("via") {
		exchange, key, _ := strings.Cut(v, ":")
		if err := cmp.Or(checkShort("the exchange of -via", exchange), checkShort("the key of -via", key)); err != nil {
			return r, err
		}
		r.Via = append(r.Via, probe.Binding{Exchange: exchange, Key: key})
	}
	return r, nil
}

func probeAsynq(ctx context.Context, c *cli.Command) error {
	if c.Args().Present() {
		return fmt.Errorf("unexpected argument %q, %w", c.Args().First(), errUsage)
	}
	client, err := dialRedis(ctx, c)
	if err != nil {
		return err
	}
	defer client.Close()
	result, err := probe.Asynq(ctx, client, c.String("queue"), c.Bool("live"))
	if errors.Is(err, probe.ErrBusy) {
		return fmt.Errorf("%w; -live probes it anyway", err)
	}
	return printProbe(c, result, err)
}

// printProbe prints a result, and fails with errDamaged unless it is a success.
func printProbe(c *cli.Command, result *probe.Result, err error) error {
	if err != nil {
		return err
	}
	if isJSON(c) {
		err = printJSON(c, result)
	} else {
		err = result.WriteText(c.Root().Writer)
	}
	if err == nil && result.Outcome != probe.Survived {
		err = fmt.Errorf("%w: %s", errDamaged, result.Outcome)
	}
	return err
}
