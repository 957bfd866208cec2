//go:build ignore

// This file is added to github.com/hibiken/asynq by otelc.

package asynq

import (
	"context"
	"sync/atomic"
	_ "unsafe" // for go:linkname
)

//go:linkname __mqtrace_enqueue github.com/mqtrace/mqtrace/auto.clientEnqueue
func __mqtrace_enqueue(ctx context.Context, field *atomic.Value, c *Client, task *Task, opts []Option) (*TaskInfo, error, bool)

//go:linkname __mqtrace_config github.com/mqtrace/mqtrace/auto.serverConfig
func __mqtrace_config(cfg Config) Config

//go:linkname __mqtrace_handler github.com/mqtrace/mqtrace/auto.serverHandler
func __mqtrace_handler(h Handler) Handler

//go:linkname __mqtrace_scheduler github.com/mqtrace/mqtrace/auto.schedulerOpts
func __mqtrace_scheduler(opts *SchedulerOpts) *SchedulerOpts

//go:linkname __mqtrace_by_hand github.com/mqtrace/mqtrace/auto.byHand
func __mqtrace_by_hand() func()
