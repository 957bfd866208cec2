package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/urfave/cli/v3"

	"github.com/mqtrace/mqtrace/internal/amqpbroker"
)

func brokerCommand() *cli.Command {
	return &cli.Command{
		Name:  "broker",
		Usage: "serve an AMQP 0-9-1 broker for demos and tests",
		Description: `Answers as RabbitMQ does, in memory: nothing is kept on disk, and what is not
consumed is gone when it stops. The user is guest, with the password guest.

Examples:
   mqtrace broker                          on port 5672 of this machine
   mqtrace broker -listen 127.0.0.1:0      on a free port, which is printed`,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "listen", Value: "127.0.0.1:5672", Usage: "listen on `HOST:PORT`"},
			&cli.BoolFlag{Name: "allow-remote", Usage: "let the address be one that other machines can reach"},
		},
		Action: serveBroker,
	}
}

// serveBroker runs until ctx ends. The URL is the first and only line of the output,
// for scripts to read.
func serveBroker(ctx context.Context, c *cli.Command) error {
	if c.Args().Present() {
		return fmt.Errorf("unexpected argument %q, %w", c.Args().First(), errUsage)
	}
	var opts []amqpbroker.Option
	if c.Bool("allow-remote") {
		opts = append(opts, amqpbroker.AllowNonLoopback())
	}
	b, err := amqpbroker.Listen(c.String("listen"), opts...)
	if errors.Is(err, amqpbroker.ErrNotLoopback) {
		return fmt.Errorf("%q is not an address of this machine alone; -allow-remote permits it: %w", c.String("listen"), errUsage)
	}
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintln(c.Root().Writer, b.URL()); err != nil {
		return errors.Join(err, b.Close())
	}
	<-ctx.Done()
	return b.Close()
}
