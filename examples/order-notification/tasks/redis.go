package tasks

import (
	"context"
	"fmt"
	"time"

	"github.com/hibiken/asynq"

	"github.com/mqtrace/mqtrace/asynqtrace/asynqredis"
)

// answerTimeout is how long connecting to Redis and its answer may take.
const answerTimeout = 10 * time.Second

// ParseRedis parses the value of MQTRACE_REDIS_ADDR: host:port, or a redis:// or rediss://
// URL if there is a user, a password, a database number or TLS.
func ParseRedis(text string) (asynq.RedisClientOpt, error) {
	opt, err := asynqredis.Parse(text)
	if err != nil {
		return asynq.RedisClientOpt{}, fmt.Errorf("MQTRACE_REDIS_ADDR: %w", err)
	}
	opt.DialTimeout = answerTimeout
	return opt, nil
}

// Ping returns an error if Redis does not answer within ten seconds: asynq would keep
// trying for longer than a user waits.
func Ping(ctx context.Context, opt asynq.RedisClientOpt) error {
	opt.ReadTimeout = answerTimeout
	client := asynqredis.NewClient(opt)
	defer client.Close()
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	if err := client.Ping(ctx).Err(); err != nil {
		return fmt.Errorf("connect to Redis at %s (MQTRACE_REDIS_ADDR): %w", opt.Addr, err)
	}
	return nil
}
