package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/hibiken/asynq"
	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/urfave/cli/v3"

	"github.com/mqtrace/mqtrace/cmd/mqtrace/internal/peek"
)

func peekCommand() *cli.Command {
	return groupCommand("peek", "show the messages of a queue with their traces, without consuming them",
		`Tells of each message which trace it belongs to, its age, its attempts and its
dead-letter history, and of all of them how many carry no or bad context.
Bodies are never shown.

Examples:
   mqtrace peek amqp orders
   mqtrace peek asynq default -state retry,archived
   mqtrace peek amqp orders.dead -o json | jq '.messages[] | select(.context != "ok")'`,
		peekAMQPCommand(), peekAsynqCommand())
}

func peekAMQPCommand() *cli.Command {
	return &cli.Command{
		Name:      "amqp",
		Usage:     "messages in a queue of RabbitMQ",
		ArgsUsage: "QUEUE",
		Description: `Takes messages by basic.get, settles none, and closes the channel: all go back to
where they were, in their old order, also if the peek is interrupted or killed. What
RabbitMQ still does:

- While it runs, consumers do not get these messages, and may get later ones first.
- Each message is then marked as redelivered, so that mqtrace.attempt, and
  consumers that look at the flag, count one more.
- A quorum queue counts a delivery (x-delivery-count), and a message delivered more
  often than its delivery limit allows (20 by default from RabbitMQ 4.0 on) is
  dead-lettered or dropped. Therefore a quorum queue is refused without -quorum.
  To notice costs its first message one delivery.
- A quorum queue serves first what has come back: to peek at fewer messages than
  the last time puts these behind the others. At most 1000 of it can be shown.
- A message whose TTL ends meanwhile expires when it goes back. In a queue with a
  length limit that was filled up meanwhile, what is over it is dropped.
- The time after which an unused queue expires (x-expires) starts anew.

Streams, another connection's exclusive queue, and quorum queues with a single
active consumer cannot be read by basic.get: RabbitMQ answers with an error.
Messages that a consumer has and has not settled are not in the queue and not shown.
It takes the read permission on the queue.

Examples:
   mqtrace peek amqp orders
   mqtrace peek amqp orders -trace-url 'http://localhost:16686/trace/{trace_id}'
   mqtrace peek amqp orders.dead -n 500 -o json`,
		Flags:  append([]cli.Flag{amqpFlag(), quorumFlag()}, peekFlags()...),
		Action: peekAMQP,
	}
}

func peekAsynqCommand() *cli.Command {
	return &cli.Command{
		Name:      "asynq",
		Usage:     "tasks in a queue of asynq",
		ArgsUsage: "QUEUE",
		Description: `Reads tasks as asynq's Inspector does, which changes nothing. Tasks that move on
meanwhile may be missed or come twice. The age of a task is known where its client
was made with asynqtrace.WithQueueTime.

Examples:
   mqtrace peek asynq default
   mqtrace peek asynq default -state archived -n 100
   mqtrace peek asynq default -state completed,aggregating -o json`,
		Flags:  append([]cli.Flag{redisFlag(), stateFlag()}, peekFlags()...),
		Action: peekAsynq,
	}
}

const defaultPeek = 20

func peekFlags() []cli.Flag {
	return []cli.Flag{
		&cli.IntFlag{
			Name: "n", Value: defaultPeek, Usage: "show at most `N` messages, of each state where there are several",
			Validator: positive,
		},
		&cli.BoolFlag{Name: "baggage-values", Usage: "show the values of the baggage too, which may be private"},
		traceURLFlag(),
		outputFlag(),
	}
}

func quorumFlag() cli.Flag {
	return &cli.BoolFlag{Name: "quorum", Usage: "peek a quorum queue too, where that counts as a delivery"}
}

func stateFlag() cli.Flag {
	return &cli.StringSliceFlag{
		Name: "state", Value: []string{"pending", "scheduled", "retry", "archived"},
		Usage: "tasks in `STATE`: " + strings.Join(peek.States(), ", "),
		Validator: func(states []string) error {
			for _, s := range states {
				if !slices.Contains(peek.States(), s) {
					return fmt.Errorf("%q is none of %s", s, strings.Join(peek.States(), ", "))
				}
			}
			return nil
		},
	}
}

func peekAMQP(ctx context.Context, c *cli.Command) error {
	queue, err := onlyArgument(c, "QUEUE")
	if err != nil {
		return err
	}
	if n := c.Int("n"); c.Bool("quorum") && n > peek.MaxQuorum {
		return fmt.Errorf("-n %d: with -quorum at most %d, %w", n, peek.MaxQuorum, errUsage)
	}
	conn, err := dialAMQP(c)
	if err != nil {
		return err
	}
	defer closeWith(ctx, conn)()
	source, err := peek.OpenAMQP(conn, queue, c.Bool("quorum"), peekOptions(c))
	if err != nil {
		return peekError(queue, err)
	}
	if n := source.Consumers(); n > 0 {
		warnf(c, "queue %q has %d consumers, which do not get these messages meanwhile", queue, n)
	}
	err = peek.Print(peekOut(c), source, c.Int("n"), peekFormat(c, peek.SystemRabbitMQ, queue))
	if ctx.Err() != nil {
		return errInterrupted
	}
	return peekError(queue, err)
}

func peekError(queue string, err error) error {
	var refused *amqp.Error
	switch {
	case err == nil:
		return nil
	case errors.Is(err, peek.ErrQuorum):
		return fmt.Errorf("queue %q: %w; -quorum peeks all the same, %w", queue, err, errUsage)
	case errors.Is(err, peek.ErrNoQueue):
		return fmt.Errorf("there is no queue %q", queue)
	case errors.As(err, &refused) && refused.Code == amqp.NotFound:
		return fmt.Errorf("there is no queue %q in the virtual host that -amqp names", queue)
	case errors.As(err, &refused) && refused.Code == amqp.NotImplemented:
		return fmt.Errorf("queue %q cannot be read by basic.get, as a stream cannot, and nothing was changed; "+
			"mqtrace tap sees what is published from now on: %w", queue, err)
	default:
		return fmt.Errorf("peek at queue %q: %w", queue, err)
	}
}

func peekAsynq(ctx context.Context, c *cli.Command) error {
	queue, err := onlyArgument(c, "QUEUE")
	if err != nil {
		return err
	}
	client, err := dialRedis(ctx, c)
	if err != nil {
		return err
	}
	defer closeWith(ctx, client)()
	source, err := peek.OpenAsynq(asynq.NewInspectorFromRedisClient(client), queue, c.StringSlice("state"), peekOptions(c))
	if err == nil {
		err = peek.Print(peekOut(c), source, c.Int("n"), peekFormat(c, peek.SystemAsynq, queue))
	}
	if ctx.Err() != nil {
		return errInterrupted
	}
	return peekError(queue, err)
}

func peekOut(c *cli.Command) io.Writer {
	if isJSON(c) {
		return jsonOut(c)
	}
	return c.Root().Writer
}

func peekOptions(c *cli.Command) peek.Options {
	return peek.Options{TraceURL: c.String("trace-url"), BaggageValues: c.Bool("baggage-values")}
}

func peekFormat(c *cli.Command, system, queue string) peek.Format {
	return peek.Format{JSON: isJSON(c), Width: treeOptions(c).Width, System: system, Queue: queue}
}
