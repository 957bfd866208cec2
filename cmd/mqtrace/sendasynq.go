package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hibiken/asynq"
	"github.com/urfave/cli/v3"
	"go.opentelemetry.io/otel/trace"

	"github.com/mqtrace/mqtrace/cmd/mqtrace/internal/peek"
	"github.com/mqtrace/mqtrace/cmd/mqtrace/internal/send"
)

func sendAsynqCommand() *cli.Command {
	return &cli.Command{
		Name:      "asynq",
		Usage:     "enqueue a task with asynq",
		ArgsUsage: "TYPE",
		Description: `Enqueues a task of TYPE. Times are written as 30s, 5m or 12h. Workers older than asynq
0.26 process the task without its trace.

Examples:
   mqtrace send asynq email:welcome -body '{"user":1}'
   mqtrace send asynq report:build -queue low -process-in 10m -max-retry 3
   mqtrace send asynq email:welcome -task-id welcome-1 -file - -o json < welcome.json`,
		Flags: append([]cli.Flag{
			redisFlag(),
			&cli.StringFlag{Name: "queue", Value: "default", Usage: "enqueue in `QUEUE`"},
			&cli.StringFlag{Name: "task-id", Usage: "give the task an `ID`, and fail if one has it already"},
			&cli.IntFlag{Name: "max-retry", Usage: "retry at most `N` times (by default, 25)"},
			&cli.DurationFlag{Name: "process-in", Usage: "process the task after `TIME`"},
			&cli.DurationFlag{Name: "unique", Usage: "fail if the same task was enqueued less than `TIME` ago"},
			&cli.DurationFlag{Name: "timeout", Usage: "stop an attempt after `TIME` (by default, 30m)"},
			&cli.TimestampFlag{
				Name: "deadline", Usage: "stop all attempts at `MOMENT`, such as 2006-01-02T15:04:05Z",
				Config: cli.TimestampConfig{Layouts: []string{time.RFC3339}},
			},
			&cli.DurationFlag{Name: "retention", Usage: "keep the task for `TIME` after it was processed"},
			&cli.StringFlag{Name: "group", Usage: "aggregate the task with others of `GROUP`"},
		}, sendFlags()...),
		DisableSliceFlagSeparator: true, // values may contain commas
		Action:                    sendAsynq,
	}
}

func sendAsynq(ctx context.Context, c *cli.Command) error {
	task, err := newTask(c)
	if err != nil {
		return err
	}
	client, err := dialRedis(ctx, c)
	if err != nil {
		return err
	}
	defer closeWith(ctx, client)()
	s := &sent{System: peek.SystemAsynq, Type: task.Type()}
	err = traced(ctx, c, s, func(ctx context.Context, provider trace.TracerProvider) (trace.SpanContext, error) {
		info, span, err := send.Asynq(ctx, client, provider, task)
		if err == nil {
			s.Queue, s.ID, s.State = info.Queue, info.ID, info.State.String()
		}
		return span, err
	})
	switch {
	case err == nil:
		return printSent(c, s, fmt.Sprintf("enqueued %s as %s in queue %q, %s", task.Type(), s.ID, s.Queue, s.State))
	case ctx.Err() != nil:
		return errInterrupted
	case errors.Is(err, asynq.ErrTaskIDConflict), errors.Is(err, asynq.ErrDuplicateTask):
		return fmt.Errorf("not enqueued: %w", err)
	default:
		return fmt.Errorf("enqueue %s: %w", task.Type(), err)
	}
}

func newTask(c *cli.Command) (*asynq.Task, error) {
	typename, err := onlyArgument(c, "TYPE")
	if err != nil {
		return nil, err
	}
	payload, err := body(c)
	if err != nil {
		return nil, err
	}
	added, err := headers(c)
	if err != nil {
		return nil, err
	}
	opts := []asynq.Option{asynq.Queue(c.String("queue"))}
	if c.IsSet("max-retry") {
		opts = append(opts, asynq.MaxRetry(c.Int("max-retry")))
	}
	for name, option := range map[string]func(time.Duration) asynq.Option{
		"process-in": asynq.ProcessIn, "unique": asynq.Unique, "timeout": asynq.Timeout, "retention": asynq.Retention,
	} {
		if !c.IsSet(name) {
			continue
		}
		if c.Duration(name) < 0 {
			return nil, fmt.Errorf("-%s %v is negative, %w", name, c.Duration(name), errUsage)
		}
		opts = append(opts, option(c.Duration(name)))
	}
	if c.IsSet("task-id") {
		opts = append(opts, asynq.TaskID(c.String("task-id")))
	}
	if c.IsSet("group") {
		opts = append(opts, asynq.Group(c.String("group")))
	}
	if c.IsSet("deadline") {
		opts = append(opts, asynq.Deadline(c.Timestamp("deadline")))
	}
	return asynq.NewTaskWithHeaders(typename, payload, added, opts...), nil
}
