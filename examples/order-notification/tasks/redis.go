package tasks

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"
)

const (
	dialTimeout = 10 * time.Second
	pingTimeout = 10 * time.Second
)

// ParseRedis reads what MQTRACE_REDIS_ADDR holds: host:port, or a redis:// or
// rediss:// URL where there is a password, a database number or TLS.
func ParseRedis(text string) (asynq.RedisClientOpt, error) {
	if !strings.Contains(text, "://") {
		return asynq.RedisClientOpt{Addr: text, DialTimeout: dialTimeout}, nil
	}
	parsed, err := asynq.ParseRedisURI(strings.TrimSuffix(text, "/")) // It takes "" for a bad database number.
	opt, ok := parsed.(asynq.RedisClientOpt)
	if err != nil || !ok {
		// The parser's error quotes the URL, password included.
		return asynq.RedisClientOpt{}, errors.New("MQTRACE_REDIS_ADDR is neither host:port nor a valid redis:// URL")
	}
	opt.DialTimeout = dialTimeout
	return opt, nil
}

// Ping reports whether Redis answers, within a few seconds: asynq would go on
// trying for longer than anybody looks at a terminal.
func Ping(ctx context.Context, opt asynq.RedisClientOpt) error {
	client := newClient(opt)
	defer client.Close()
	ctx, cancel := context.WithTimeout(ctx, pingTimeout)
	defer cancel()
	if err := client.Ping(ctx).Err(); err != nil {
		return fmt.Errorf("connect to Redis at %s (MQTRACE_REDIS_ADDR): %w", opt.Addr, err)
	}
	return nil
}

// DeleteQueue removes every trace of a queue from a Redis that is shared with
// others. asynq's Inspector would leave the statistics behind.
func DeleteQueue(ctx context.Context, opt asynq.RedisClientOpt, queue string) error {
	const pageSize = 100
	client := newClient(opt)
	defer client.Close()
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

func newClient(opt asynq.RedisClientOpt) *redis.Client {
	return redis.NewClient(&redis.Options{
		Network:     opt.Network,
		Addr:        opt.Addr,
		Username:    opt.Username,
		Password:    opt.Password,
		DB:          opt.DB,
		TLSConfig:   opt.TLSConfig,
		DialTimeout: opt.DialTimeout,
		ReadTimeout: pingTimeout,

		// One attempt, bounded by the caller's context.
		MaxRetries:            -1,
		DialerRetries:         1,
		ContextTimeoutEnabled: true,
	})
}
