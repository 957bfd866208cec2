package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"syscall"

	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/urfave/cli/v3"

	"github.com/mqtrace/mqtrace/internal/amqpbroker"
)

func brokerCommand() *cli.Command {
	return &cli.Command{
		Name:  "broker",
		Usage: "serve an AMQP 0-9-1 broker for demos and tests",
		Description: `Answers as RabbitMQ does, in memory: nothing is kept on disk, and messages that are
not consumed are lost when it stops. The user is guest, with the password guest.
Clients declare exchanges and queues, as on RabbitMQ; -bind and -queue declare some at
startup, for trying the other commands. Prints its URL, for MQTRACE_AMQP_URL or -amqp.

Examples:
   mqtrace broker                          on port 5672 of this machine
   mqtrace broker -listen 127.0.0.1:0      on a free port, which is printed
   mqtrace broker -bind orders:order.created:orders -queue probe`,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "listen", Value: "127.0.0.1:5672", Usage: "listen on `HOST:PORT`"},
			&cli.BoolFlag{Name: "allow-remote", Usage: "permit an address that other machines can reach"},
			&cli.StringSliceFlag{Name: "queue", Usage: "declare `QUEUE`"},
			&cli.StringSliceFlag{
				Name: "bind", Usage: "declare a topic exchange and a queue, and bind them: `EXCHANGE:KEY:QUEUE`",
				Validator: checkBindings,
			},
		},
		DisableSliceFlagSeparator: true, // keys may contain commas
		Action:                    serveBroker,
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
		return fmt.Errorf("%q is not a loopback address; -allow-remote permits it: %w", c.String("listen"), errUsage)
	}
	if errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("%w; -listen 127.0.0.1:0 picks a free port", err)
	}
	if err != nil {
		return err
	}
	if err := furnish(b.URL(), c.StringSlice("queue"), c.StringSlice("bind")); err != nil {
		return errors.Join(err, b.Close())
	}
	if _, err := fmt.Fprintln(c.Root().Writer, b.URL()); err != nil {
		return errors.Join(err, b.Close())
	}
	<-ctx.Done()
	return b.Close()
}

func checkBindings(bindings []string) error {
	for _, text := range bindings {
		if _, _, _, ok := splitBinding(text); !ok {
			return fmt.Errorf("%q is not of the form EXCHANGE:KEY:QUEUE", text)
		}
	}
	return nil
}

// splitBinding cuts at the first and at the last colon, since a key may contain colons.
func splitBinding(text string) (exchange, key, queue string, ok bool) {
	exchange, rest, _ := strings.Cut(text, ":")
	at := strings.LastIndex(rest, ":")
	if at < 0 || exchange == "" || at == len(rest)-1 {
		return "", "", "", false
	}
	return exchange, rest[:at], rest[at+1:], true
}

// furnish declares queues and bindings, as any client would.
func furnish(url string, queues, bindings []string) error {
	if len(queues) == 0 && len(bindings) == 0 {
		return nil
	}
	conn, err := amqp.Dial(url)
	if err != nil {
		return err
	}
	defer conn.Close()
	ch, err := conn.Channel()
	if err != nil {
		return err
	}
	for _, queue := range queues {
		if _, err := ch.QueueDeclare(queue, true, false, false, false, nil); err != nil {
			return fmt.Errorf("queue %q: %w", queue, err)
		}
	}
	for _, text := range bindings {
		exchange, key, queue, _ := splitBinding(text)
		if err := ch.ExchangeDeclare(exchange, amqp.ExchangeTopic, true, false, false, false, nil); err != nil {
			return fmt.Errorf("exchange %q: %w", exchange, err)
		}
		if _, err := ch.QueueDeclare(queue, true, false, false, false, nil); err != nil {
			return fmt.Errorf("queue %q: %w", queue, err)
		}
		if err := ch.QueueBind(queue, key, exchange, false, nil); err != nil {
			return fmt.Errorf("bind queue %q: %w", queue, err)
		}
	}
	return nil
}
