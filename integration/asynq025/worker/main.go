// Command worker is an asynq 0.25 worker, the last minor version without headers. It serves
// the given queue and prints, for each attempt, the task and whether asynq calls it a
// retry. Each task fails once.
//
// It is a module of its own because a module links one version of asynq. It is started
// by the test beside it.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/hibiken/asynq"
)

func main() {
	url, queue := os.Args[1], os.Args[2]
	redis, err := asynq.ParseRedisURI(strings.TrimSuffix(url, "/"))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	srv := asynq.NewServer(redis, asynq.Config{
		Queues:                   map[string]int{queue: 1},
		LogLevel:                 asynq.FatalLevel,
		DelayedTaskCheckInterval: 100 * time.Millisecond,
		RetryDelayFunc:           func(int, error, *asynq.Task) time.Duration { return time.Hour },
	})
	err = srv.Start(asynq.HandlerFunc(func(ctx context.Context, task *asynq.Task) error {
		id, _ := asynq.GetTaskID(ctx)
		fmt.Println(id, task.Type(), string(task.Payload()))
		return errors.New("once")
	}))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	_, _ = os.Stdin.Read(make([]byte, 1)) // until the test closes it
	srv.Shutdown()
}
