package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/urfave/cli/v3"
	"go.opentelemetry.io/otel/trace"

	"github.com/mqtrace/mqtrace/amqptrace"
	"github.com/mqtrace/mqtrace/cmd/mqtrace/internal/peek"
	"github.com/mqtrace/mqtrace/cmd/mqtrace/internal/send"
)

func sendAMQPCommand() *cli.Command {
	return &cli.Command{
		Name:  "amqp",
		Usage: "publish a message to RabbitMQ",
		Description: `Publishes to an exchange, or without -exchange to the queue that -key names, waits
for RabbitMQ's confirm (unless -confirm=false), and fails if no queue took the message
(unless -mandatory=false; without a confirm, it cannot know).

Examples:
   mqtrace send amqp -exchange orders -key order.created -body '{"id":1}'
   mqtrace send amqp -key orders -file order.json -persistent -H tenant=t1
   echo hello | mqtrace send amqp -key orders -file - -o json`,
		Flags: append([]cli.Flag{
			amqpFlag(),
			&cli.StringFlag{Name: "exchange", Usage: "publish to `EXCHANGE` (by default, the default exchange)"},
			&cli.StringFlag{Name: "key", Usage: "publish with routing `KEY`"},
			&cli.BoolFlag{Name: "mandatory", Value: true, Usage: "fail if no queue takes the message"},
			&cli.BoolFlag{Name: "confirm", Value: true, Usage: "wait until the broker has the message"},
			&cli.BoolFlag{Name: "persistent", Usage: "keep the message when the broker restarts"},
			&cli.DurationFlag{Name: "expiration", Usage: "let the message expire after `TIME`, to the millisecond"},
			&cli.Uint8Flag{Name: "priority", Usage: "give the message a `PRIORITY`, 0 to 255"},
			&cli.StringFlag{Name: "content-type", Usage: "set the body's content `TYPE`, such as application/json"},
			&cli.StringFlag{Name: "content-encoding", Usage: "set the body's content `ENCODING`, such as gzip"},
			&cli.StringFlag{Name: "correlation-id", Usage: "give the message a correlation `ID`"},
			&cli.StringFlag{Name: "reply-to", Usage: "ask for replies at `ADDRESS`"},
			&cli.StringFlag{Name: "message-id", Usage: "give the message an `ID`"},
			&cli.StringFlag{Name: "type", Usage: "set the message's `TYPE`"},
			&cli.StringFlag{Name: "app-id", Usage: "set the application `ID`"},
		}, sendFlags()...),
		DisableSliceFlagSeparator: true, // values may contain commas
		Action:                    sendAMQP,
	}
}

func sendAMQP(ctx context.Context, c *cli.Command) error {
	if c.Args().Present() {
		return fmt.Errorf("unexpected argument %q, %w", c.Args().First(), errUsage)
	}
	if c.String("exchange") == "" && c.String("key") == "" {
		return fmt.Errorf("-key or -exchange is required, %w", errUsage)
	}
	msg, err := publishing(c)
	if err != nil {
		return err
	}
	conn, err := dialAMQP(ctx, c)
	if err != nil {
		return err
	}
	defer closeWith(ctx, prompt{conn})()
	m := send.Message{
		Exchange: c.String("exchange"), Key: c.String("key"),
		Mandatory: c.Bool("mandatory"), Confirm: c.Bool("confirm"), Publishing: msg,
	}
	s := &sent{System: peek.SystemRabbitMQ, Exchange: m.Exchange, Key: m.Key, Confirmed: m.Confirm, ID: msg.MessageId, Type: msg.Type}
	err = traced(ctx, c, s, func(ctx context.Context, provider trace.TracerProvider) (trace.SpanContext, error) {
		return send.AMQP(ctx, conn, provider, m)
	})
	if err != nil {
		return sendError(ctx, m, err)
	}
	text := "sent to " + place(m)
	if m.Confirm {
		text += ", confirmed"
	}
	return printSent(c, s, text)
}

func place(m send.Message) string {
	if m.Exchange == "" {
		return fmt.Sprintf("queue %q", m.Key)
	}
	return fmt.Sprintf("exchange %q with key %q", m.Exchange, m.Key)
}

func sendError(ctx context.Context, m send.Message, err error) error {
	switch {
	case ctx.Err() != nil:
		return errInterrupted
	case errors.Is(err, amqptrace.ErrReturned):
		return fmt.Errorf("no queue took the message sent to %s: %w", place(m), err)
	default:
		return fmt.Errorf("send to %s: %w", place(m), err)
	}
}

func publishing(c *cli.Command) (amqp.Publishing, error) {
	text, err := body(c)
	if err != nil {
		return amqp.Publishing{}, err
	}
	added, err := headers(c)
	if err != nil {
		return amqp.Publishing{}, err
	}
	for _, name := range []string{
		"exchange", "key", "content-type", "content-encoding", "correlation-id", "reply-to", "message-id", "type", "app-id",
	} {
		if err := checkShort("-"+name, c.String(name)); err != nil {
			return amqp.Publishing{}, err
		}
	}
	msg := amqp.Publishing{
		Body: text, Headers: make(amqp.Table, len(added)), Timestamp: time.Now(), Priority: c.Uint8("priority"),
		ContentType: c.String("content-type"), ContentEncoding: c.String("content-encoding"),
		CorrelationId: c.String("correlation-id"), ReplyTo: c.String("reply-to"),
		MessageId: c.String("message-id"), Type: c.String("type"), AppId: c.String("app-id"),
	}
	for name, value := range added {
		if err := checkShort("-H: a name", name); err != nil {
			return amqp.Publishing{}, err
		}
		msg.Headers[name] = value
	}
	if c.Bool("persistent") {
		msg.DeliveryMode = amqp.Persistent
	}
	if c.IsSet("expiration") {
		d := c.Duration("expiration")
		if d < 0 {
			return amqp.Publishing{}, fmt.Errorf("-expiration %v is negative, %w", d, errUsage)
		}
		msg.Expiration = strconv.FormatInt(d.Milliseconds(), 10)
	}
	return msg, nil
}
