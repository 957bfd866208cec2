// Package asynqredis parses the address of asynq's Redis from one string, as in an
// environment variable, and deletes a queue with everything that asynq keeps for it, for
// tests that share a Redis.
//
// It is part of this module because it has no dependencies beyond asynq's. Package
// asynqtrace does not use it.
package asynqredis

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"
)

// ErrAddress means that an address cannot be parsed. Its text does not quote the address,
// which may contain a password.
var ErrAddress = errors.New("asynqredis: address is neither host:port nor a valid redis:// URL")

// Parse parses host:port, or a redis:// or rediss:// URL for a user, a password, a database
// number or TLS. The error is [ErrAddress].
//
// The URL is read by go-redis, because asynq.ParseRedisURI ignores the user. Of the
// parameters in its query that go-redis knows, those that asynq.RedisClientOpt has are used:
// db, dial_timeout, read_timeout, write_timeout and pool_size.
func Parse(text string) (asynq.RedisClientOpt, error) {
	scheme, _, isURL := strings.Cut(text, "://")
	if !isURL {
		if _, _, err := net.SplitHostPort(text); err != nil {
			return asynq.RedisClientOpt{}, ErrAddress
		}
		return asynq.RedisClientOpt{Addr: text}, nil
	}
	o, err := redis.ParseURL(text)
	if err != nil || scheme != "redis" && scheme != "rediss" {
		return asynq.RedisClientOpt{}, ErrAddress
	}
	return asynq.RedisClientOpt{
		Addr: o.Addr, Username: o.Username, Password: o.Password, DB: o.DB, TLSConfig: o.TLSConfig,
		DialTimeout: o.DialTimeout, ReadTimeout: o.ReadTimeout, WriteTimeout: o.WriteTimeout, PoolSize: o.PoolSize,
	}, nil
}

// NewClient returns a client that tries once and stops when its caller's context ends;
// asynq's own client retries for longer than a user at a terminal would wait.
func NewClient(opt asynq.RedisClientOpt) *redis.Client {
	return redis.NewClient(&redis.Options{
		Network: opt.Network, Addr: opt.Addr, Username: opt.Username, Password: opt.Password, DB: opt.DB, TLSConfig: opt.TLSConfig,
		DialTimeout: opt.DialTimeout, ReadTimeout: opt.ReadTimeout, WriteTimeout: opt.WriteTimeout, PoolSize: opt.PoolSize,
		MaxRetries: -1, ContextTimeoutEnabled: true,
	})
}

// literally escapes the special characters of Redis's patterns.
var literally = strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`)

// DeleteQueue deletes a queue and what asynq's Inspector leaves behind: its statistics,
// which asynq keeps for 90 days, and its locks.
func DeleteQueue(ctx context.Context, opt asynq.RedisClientOpt, queue string) error {
	client := NewClient(opt)
	defer client.Close()
	const pageSize = 1000
	keys := client.Scan(ctx, 0, "asynq:{"+literally.Replace(queue)+"}*", pageSize).Iterator()
	for keys.Next(ctx) {
		if err := client.Del(ctx, keys.Val()).Err(); err != nil {
			return fmt.Errorf("asynqredis: delete queue %s: %w", queue, err)
		}
	}
	if err := errors.Join(keys.Err(), client.SRem(ctx, "asynq:queues", queue).Err()); err != nil {
		return fmt.Errorf("asynqredis: delete queue %s: %w", queue, err)
	}
	return nil
}
