// Command inspector lists the tasks that asynq has archived or will retry and prints, for
// each, the trace that shows what happened to it.
//
// It reads the Redis that MQTRACE_REDIS_ADDR names, host:port or a redis:// URL, and all of
// its queues, or those given as arguments. If the variable is not set, it starts an
// in-process Redis, with a task that fails for good and one that waits for its retry.
package main

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/hibiken/asynq"
	"go.opentelemetry.io/otel/propagation"

	"github.com/mqtrace/mqtrace/asynqtrace"
	"github.com/mqtrace/mqtrace/asynqtrace/asynqredis"
)

func main() {
	if err := play(context.Background(), os.Getenv("MQTRACE_REDIS_ADDR"), os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "inspector:", err)
		os.Exit(1)
	}
}

func play(ctx context.Context, addr string, queues []string, out io.Writer) error {
	if addr == "" {
		demo, err := newDemo(ctx)
		if err != nil {
			return err
		}
		defer demo.Close()
		addr = demo.Addr()
	}
	redis, err := asynqredis.Parse(addr)
	if err != nil {
		return fmt.Errorf("MQTRACE_REDIS_ADDR: %w", err)
	}
	inspector := asynq.NewInspector(redis)
	defer func() { _ = inspector.Close() }()
	if len(queues) == 0 {
		if queues, err = inspector.Queues(); err != nil {
			return err
		}
	}
	for _, queue := range queues {
		for _, list := range []func(string, ...asynq.ListOption) ([]*asynq.TaskInfo, error){
			inspector.ListArchivedTasks, inspector.ListRetryTasks,
		} {
			if err := walk(queue, list, out); err != nil {
				return err
			}
		}
	}
	return nil
}

const pageSize = 100

// walk prints one of the inspector's lists, page by page.
func walk(
	queue string, list func(string, ...asynq.ListOption) ([]*asynq.TaskInfo, error), out io.Writer,
) error {
	for page := 1; ; page++ {
		tasks, err := list(queue, asynq.PageSize(pageSize), asynq.Page(page))
		if err != nil {
			return err
		}
		for _, task := range tasks {
			fmt.Fprintln(out, line(task))
		}
		if len(tasks) < pageSize {
			return nil
		}
	}
}

func line(task *asynq.TaskInfo) string {
	found := "no trace"
	sc := asynqtrace.SpanContextFromTaskInfo(task, asynqtrace.WithPropagators(propagation.TraceContext{}))
	if sc.IsValid() {
		found = "trace " + sc.TraceID().String()
	}
	return fmt.Sprintf("%s %s %s %s, %s: %q", task.Queue, task.State, task.Type, task.ID, found, task.LastErr)
}
