// Package backend provides the RabbitMQ and the Redis that the services use: real ones if
// they are named, in-process ones otherwise.
package backend

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/hibiken/asynq"

	"github.com/mqtrace/mqtrace/asynqtrace/asynqredis"
	"github.com/mqtrace/mqtrace/examples/order-notification/config"
	"github.com/mqtrace/mqtrace/examples/order-notification/events"
	"github.com/mqtrace/mqtrace/examples/order-notification/rabbit"
	"github.com/mqtrace/mqtrace/examples/order-notification/tasks"
	"github.com/mqtrace/mqtrace/internal/amqpbroker"
)

// The addresses of the demo's own servers. The ports are not the defaults of RabbitMQ and
// Redis, so that an unconfigured part of the demo does not connect to the user's own
// servers and take tasks from them.
const (
	defaultAMQPAddr  = "127.0.0.1:" + config.AMQPPort
	defaultRedisAddr = "127.0.0.1:" + config.RedisPort
	anyPort          = "127.0.0.1:0"
)

// Backend is a broker and a Redis, and the names to use on them.
type Backend struct {
	AMQPURL string
	Redis   asynq.RedisClientOpt
	// Prefix is unique if a server is real, and so perhaps shared.
	Prefix string

	broker    *amqpbroker.Broker // nil if the broker is real
	miniredis *miniredis.Miniredis
}

// Open starts the servers that cfg does not name and checks that the others answer.
func Open(ctx context.Context, cfg config.Config) (*Backend, error) {
	return open(ctx, cfg, []string{anyPort}, []string{anyPort})
}

// OpenAtDefaults is Open, except that its servers listen on their default ports if these
// are free.
func OpenAtDefaults(ctx context.Context, cfg config.Config) (*Backend, error) {
	amqpAddrs, redisAddrs := []string{anyPort}, []string{anyPort}
	if unused(ctx, defaultAMQPAddr) {
		amqpAddrs = []string{defaultAMQPAddr, anyPort}
	}
	if unused(ctx, defaultRedisAddr) {
		redisAddrs = []string{defaultRedisAddr, anyPort}
	}
	return open(ctx, cfg, amqpAddrs, redisAddrs)
}

func open(ctx context.Context, cfg config.Config, amqpAddrs, redisAddrs []string) (_ *Backend, err error) {
	b := &Backend{AMQPURL: cfg.AMQPURL, Redis: cfg.Redis, Prefix: cfg.Prefix}
	defer func() {
		if err != nil {
			b.stop()
		}
	}()
	if b.Prefix == "" && (cfg.AMQPURL != "" || cfg.Redis.Addr != "") {
		b.Prefix = "demo-" + strings.ToLower(rand.Text()[:8]) + "."
	}
	if cfg.AMQPURL == "" {
		b.broker, err = FirstFree(func(addr string) (*amqpbroker.Broker, error) { return amqpbroker.Listen(addr) }, amqpAddrs...)
		if err != nil {
			return nil, fmt.Errorf("start the in-process broker: %w", err)
		}
		b.AMQPURL = b.broker.URL()
	} else if err := b.checkBroker(ctx); err != nil {
		return nil, err
	}
	if cfg.Redis.Addr == "" {
		if b.miniredis, err = FirstFree(startRedis, redisAddrs...); err != nil {
			return nil, fmt.Errorf("start the in-process Redis: %w", err)
		}
		b.Redis.Addr = b.miniredis.Addr()
	} else if err := tasks.Ping(ctx, b.Redis); err != nil {
		return nil, err
	}
	return b, nil
}

func startRedis(addr string) (*miniredis.Miniredis, error) {
	m := miniredis.NewMiniRedis()
	if err := m.StartAddr(addr); err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	return m, nil
}

// unused reports whether nothing answers at an address. Listening alone proves nothing: some
// systems let a program listen on loopback while another one listens on all interfaces.
func unused(ctx context.Context, addr string) bool {
	conn, err := (&net.Dialer{Timeout: time.Second}).DialContext(ctx, "tcp", addr)
	if err == nil {
		_ = conn.Close()
	}
	return err != nil
}

// FirstFree listens on the first of the addresses that is free.
func FirstFree[T any](listen func(addr string) (T, error), addrs ...string) (server T, err error) {
	for _, addr := range addrs {
		if server, err = listen(addr); err == nil {
			break
		}
	}
	return server, err
}

func (b *Backend) checkBroker(ctx context.Context) error {
	conn, err := rabbit.Dial(ctx, b.AMQPURL, "check", slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	return conn.Close()
}

// Topology returns the names on the broker.
func (b *Backend) Topology() events.Topology { return events.NewTopology(b.Prefix) }

// EmailQueue returns the name of the asynq queue.
func (b *Backend) EmailQueue() string { return tasks.QueueName(b.Prefix) }

// Environment returns the variables that point another program to the servers that Open
// started, as NAME=value.
func (b *Backend) Environment() []string {
	var env []string
	if b.broker != nil {
		env = append(env, "MQTRACE_AMQP_URL="+b.AMQPURL)
	}
	if b.miniredis != nil {
		env = append(env, "MQTRACE_REDIS_ADDR="+b.Redis.Addr)
	}
	return env
}

// Describe returns a short description of what the services run on once the servers of cfg
// are open.
func Describe(cfg config.Config) string {
	broker, store := "RabbitMQ", "Redis"
	if cfg.AMQPURL == "" {
		broker = "an in-process AMQP broker"
	}
	if cfg.Redis.Addr == "" {
		store = "an in-process Redis"
	}
	return broker + " and " + store
}

// OnRealServers reports whether the broker or Redis is a real one.
func (b *Backend) OnRealServers() bool { return b.broker == nil || b.miniredis == nil }

// Close stops what Open started, and deletes what the services made on real servers. The
// services must have stopped.
func (b *Backend) Close(ctx context.Context) error {
	defer b.stop()
	var errs []error
	if b.broker == nil {
		errs = append(errs, b.deleteTopology(ctx))
	}
	if b.miniredis == nil {
		errs = append(errs, asynqredis.DeleteQueue(ctx, b.Redis, b.EmailQueue()))
	}
	return errors.Join(errs...)
}

func (b *Backend) deleteTopology(ctx context.Context) error {
	conn, err := rabbit.Dial(ctx, b.AMQPURL, "clean up", slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	ch, err := conn.Channel()
	if err == nil {
		err = b.Topology().Delete(ch)
	}
	if err != nil {
		err = fmt.Errorf("clean up on the broker: %w", err)
	}
	return errors.Join(err, conn.Close())
}

func (b *Backend) stop() {
	if b.broker != nil {
		_ = b.broker.Close()
	}
	if b.miniredis != nil {
		b.miniredis.Close()
	}
}
