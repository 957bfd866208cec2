// Package asynqredis is what tools, tests and measurements know of asynq's Redis: how its
// address is written, and how a queue goes with all that asynq keeps of it.
package asynqredis

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"
)

// ErrAddress says that an address cannot be read. It does not quote the address, which
// may hold a password.
var ErrAddress = errors.New("neither host:port nor a valid redis:// URL")

// Parse reads what MQTRACE_REDIS_ADDR holds: host:port, or a redis:// or rediss:// URL
// where there is a password, a database number or TLS. The error is [ErrAddress].
func Parse(text string) (asynq.RedisClientOpt, error) {
	if !strings.Contains(text, "://") {
		return asynq.RedisClientOpt{Addr: text}, nil
	}
	parsed, err := asynq.ParseRedisURI(strings.TrimSuffix(text, "/")) // It takes "" for a bad database number.
	opt, ok := parsed.(asynq.RedisClientOpt)
	if err != nil || !ok {
		return asynq.RedisClientOpt{}, ErrAddress
	}
	return opt, nil
}

// DeleteQueue removes a queue and what asynq's Inspector would leave of it in a Redis that
// others use too: its statistics, which asynq keeps for 90 days, and locks.
func DeleteQueue(ctx context.Context, opt asynq.RedisClientOpt, queue string) error {
	client, ok := opt.MakeRedisClient().(redis.UniversalClient)
	if !ok {
		return errors.New("asynq's client is not one of go-redis")
	}
	defer client.Close()
	const pageSize = 1000
	keys := client.Scan(ctx, 0, "asynq:{"+queue+"}*", pageSize).Iterator()
	for keys.Next(ctx) {
		if err := client.Del(ctx, keys.Val()).Err(); err != nil {
			return fmt.Errorf("delete queue %s: %w", queue, err)
		}
	}
	if err := errors.Join(keys.Err(), client.SRem(ctx, "asynq:queues", queue).Err()); err != nil {
		return fmt.Errorf("delete queue %s: %w", queue, err)
	}
	return nil
}
