package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/hibiken/asynq"
	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/urfave/cli/v3"

	"github.com/mqtrace/mqtrace/cmd/mqtrace/internal/escape"
	"github.com/mqtrace/mqtrace/cmd/mqtrace/internal/peek"
	"github.com/mqtrace/mqtrace/internal/traceview/textfmt"
)

func peekCommand() *cli.Command {
	return groupCommand("peek", "show the messages of a queue with their traces, without consuming them",
		`Shows the trace, age, attempts and dead-letter history of each message, and how many
messages carry no trace context or a bad one.
The beginning of each body is shown only with -body.

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
		Description: `Gets messages without settling them and returns them to their places in the queue,
even if the peek is interrupted or killed. Reading a stream has no effect. In other
queues:

- While it runs, consumers do not get these messages, and may get later ones first.
- Each message is then marked as redelivered, so that mqtrace.attempt, and
  consumers that look at the flag, count one more.
- A message whose TTL ends meanwhile expires when it is returned. If the queue reached
  its length limit meanwhile, messages over the limit are dropped.
- The time after which an unused queue expires (x-expires) starts again.

A quorum queue also counts deliveries, and dead-letters or drops a message beyond its
delivery limit (20 by default from RabbitMQ 4.0 on). It is refused, before any message
is taken, unless -quorum is given:

- Before RabbitMQ 4.3, each peek counts as a delivery of each message shown.
- From 4.3 on, only a killed peek does; any other raises x-acquired-count.
- RabbitMQ 3.10 delivers returned messages first: peeking at fewer messages than last
  time moves those behind the others.

At most 1000 messages of a quorum queue or a stream can be shown. Messages that a
consumer has not settled yet are not shown, nor are any of a quorum queue while it has a
single active consumer. Another connection's exclusive queue cannot be read.

The user needs the read permission on the queue, and the configure permission to find
out its type, by a declaration that RabbitMQ always refuses. Without the latter, or for
a name of more than about 100 bytes, name the management API with -management, which
requires the tag management. Otherwise the queue is refused; -quorum reads it as a
quorum queue.

Examples:
   mqtrace peek amqp orders
   mqtrace peek amqp orders -trace-url 'http://localhost:16686/trace/{trace_id}'
   mqtrace peek amqp orders.dead -n 500 -o json`,
		Flags:  append([]cli.Flag{amqpFlag(), managementFlag(), quorumFlag()}, peekFlags()...),
		Action: peekAMQP,
	}
}

func peekAsynqCommand() *cli.Command {
	return &cli.Command{
		Name:      "asynq",
		Usage:     "tasks in a queue of asynq",
		ArgsUsage: "QUEUE",
		Description: `Reads tasks as asynq's Inspector does, which changes nothing. Tasks that change
state meanwhile may be missed or shown twice. The age of a task is known if its client
has the option asynqtrace.WithQueueTime.

Examples:
   mqtrace peek asynq default
   mqtrace peek asynq default -state archived -n 100
   mqtrace peek asynq default -state completed,aggregating -o json`,
		Flags:  append([]cli.Flag{redisFlag(), stateFlag()}, peekFlags()...),
		Action: peekAsynq,
	}
}

const defaultPeek = 20

// maxNamed is how many queues an error names.
const maxNamed = 20

// giveBackTime is how long an interrupted peek may take to return its messages. After that,
// closing the connection does.
const giveBackTime = 2 * time.Second

func peekFlags() []cli.Flag {
	return []cli.Flag{
		&cli.IntFlag{
			Name: "n", Value: defaultPeek, Usage: "show at most `N` messages, or N of each state if there are several",
			Validator: positive,
		},
		&cli.BoolFlag{Name: "body", Usage: fmt.Sprintf("show the first %d bytes of each body too, which may be private", peek.MaxBody)},
		&cli.BoolFlag{Name: "baggage-values", Usage: "show the values of the baggage too, which may be private"},
		traceURLFlag(),
		outputFlag(),
	}
}

func quorumFlag() cli.Flag {
	return &cli.BoolFlag{Name: "quorum", Usage: "read the queue even if it is a quorum queue, which may count the peek as a delivery, or of unknown type"}
}

func stateFlag() cli.Flag {
	return &cli.StringSliceFlag{
		Name: "state", Value: []string{"pending", "scheduled", "retry", "archived"},
		Usage: "tasks in `STATE`: " + strings.Join(peek.States(), ", "),
		Validator: func(states []string) error {
			for _, s := range states {
				if !slices.Contains(peek.States(), s) {
					return fmt.Errorf("%q is not one of %s", s, strings.Join(peek.States(), ", "))
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
	if err := checkShort("QUEUE", queue); err != nil {
		return err
	}
	if n := c.Int("n"); c.Bool("quorum") && n > peek.MaxConsumed {
		return fmt.Errorf("-n %d: must be at most %d with -quorum, %w", n, peek.MaxConsumed, errUsage)
	}
	opts := peekOptions(c)
	opts.Done = ctx.Done()
	if opts.QueueType, err = queueType(ctx, c, queue); err != nil {
		return err
	}
	conn, err := dialAMQP(ctx, c)
	if err != nil {
		return err
	}
	defer closeAfter(ctx, giveBackTime, prompt{conn})()
	source, err := peek.OpenAMQP(conn, queue, c.Bool("quorum"), opts)
	if err != nil {
		return peekError(queue, err)
	}
	if n := source.Consumers(); n > 0 {
		warnf(c, "queue %q has %s: none gets these messages during the peek", queue, textfmt.Count(n, "consumer"))
	}
	n := source.Limit(c.Int("n"))
	if n < c.Int("n") {
		warnf(c, "at most %d messages of a quorum queue or a stream can be shown", n)
	}
	out := &held{out: c.Root().Writer}
	err = peek.Print(peekOut(c, out), source, n, peekFormat(c, peek.SystemRabbitMQ, queue))
	if printed := out.release(); err == nil {
		err = printed
	}
	if ctx.Err() != nil {
		return errInterrupted
	}
	return peekError(queue, err)
}

// queueType returns a function that queries the management API, or nil if its address is
// not known.
func queueType(ctx context.Context, c *cli.Command, queue string) (func() (string, error), error) {
	uri, err := amqp.ParseURI(c.String("amqp"))
	if err != nil || c.String("management") == "" {
		return nil, nil //nolint:nilerr // dialAMQP reports it
	}
	api, err := managementClient(c, uri)
	if err != nil {
		return nil, err
	}
	return func() (string, error) {
		ctx, cancel := context.WithTimeout(ctx, dialTimeout)
		defer cancel()
		return api.QueueType(ctx, uri.Vhost, queue)
	}, nil
}

func peekError(queue string, err error) error {
	var refused *amqp.Error
	switch {
	case err == nil:
		return nil
	case errors.Is(err, peek.ErrQuorum):
		return fmt.Errorf("queue %q was not read: %w; -quorum reads it anyway, %w", queue, err, errUsage)
	case errors.Is(err, peek.ErrKind):
		return fmt.Errorf("queue %q was not read: %w; -management asks the management API, and -quorum reads it as a quorum queue, %w", queue, err, errUsage)
	case errors.Is(err, peek.ErrNoQueue):
		return fmt.Errorf("there is no queue %q", queue)
	case errors.As(err, &refused) && refused.Code == amqp.NotFound:
		return fmt.Errorf("there is no queue %q in the virtual host that -amqp names", queue)
	case errors.As(err, &refused) && refused.Code == amqp.NotImplemented:
		return fmt.Errorf("queue %q cannot be read, and nothing was changed; "+
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
	inspector := asynq.NewInspectorFromRedisClient(client)
	source, err := peek.OpenAsynq(inspector, queue, c.StringSlice("state"), peekOptions(c))
	if errors.Is(err, peek.ErrNoQueue) {
		if names, listed := inspector.Queues(); listed == nil && len(names) > 0 {
			return fmt.Errorf("there is no queue %q; there are %s", queue, strings.Join(names[:min(len(names), maxNamed)], ", "))
		}
	}
	if err == nil {
		err = peek.Print(peekOut(c, c.Root().Writer), source, c.Int("n"), peekFormat(c, peek.SystemAsynq, queue))
	}
	if ctx.Err() != nil {
		return errInterrupted
	}
	return peekError(queue, err)
}

func peekOut(c *cli.Command, out io.Writer) io.Writer {
	if isJSON(c) {
		return escape.NewWriter(out)
	}
	return out
}

func peekOptions(c *cli.Command) peek.Options {
	return peek.Options{TraceURL: c.String("trace-url"), BaggageValues: c.Bool("baggage-values"), Bodies: c.Bool("body")}
}

func peekFormat(c *cli.Command, system, queue string) peek.Format {
	return peek.Format{JSON: isJSON(c), Width: treeOptions(c).Width, System: system, Queue: queue}
}
